import CAnnealSystem
import Testing

/// Libraries that are loaded on demand.
@Suite struct LibraryTests {
    /// - Returns: whether the library and its functions exist, and whether they were found.
    private func load(_ file: String, _ function: String) -> (isThere: Bool, isFound: Bool) {
        var state: Int32 = 0
        var found: UnsafeMutableRawPointer?
        let isThere = function.withCString { name in
            withUnsafePointer(to: name) { names in
                // Of several calls only the first one searches.
                (0..<2).map { _ in anneal_load_library(&state, file, names, 1, &found) != 0 }
            }
        }
        #expect(isThere[0] == isThere[1])
        return (isThere[0], found != nil)
    }

    @Test func functionsAreFound() {
        #expect(load("libm.so.6", "cos") == (true, true))
    }

    @Test func whatIsNotThereIsSaid() {
        #expect(load("libanneal-is-not-there.so.0", "cos") == (false, false))
        #expect(load("libm.so.6", "anneal_is_not_there") == (false, false))
    }
}
