/// Suggestions for misspelt names.
public enum Spelling {
    /// The names that take the fewest edits to become `name`, best first.
    public static func nearest(to name: String, among names: some Sequence<String>, count: Int = 3) -> [String] {
        ranked(name, names).prefix(count).map(\.name)
    }

    /// The names so close to `name` that it is probably one of them misspelt; usually one, often none.
    public static func misspelt(_ name: String, among names: some Sequence<String>) -> [String] {
        // Longer names are not typed.
        guard name.utf8.count <= 64 else { return [] }
        let all = ranked(name.lowercased(), names) { $0.lowercased() }
        guard let best = all.first?.distance, best <= max(1, name.utf8.count / 3) else { return [] }
        return all.prefix { $0.distance == best }.prefix(3).map(\.name)
    }

    /// The end of an error about an unknown name: `did you mean sgd? it must be one of adam, sgd`.
    public static func suggestion(for name: String, among names: [String]) -> String {
        question(misspelt(name, among: names)) + "it must be one of \(names.joined(separator: ", "))"
    }

    /// `did you mean a or b? `; empty without names.
    public static func question(_ names: [String]) -> String {
        names.isEmpty ? "" : "did you mean \(names.joined(separator: " or "))? "
    }

    /// An existing file or folder with a path that differs only in misspelt names; nil if there is none.
    public static func existingPath(like path: String) -> String? {
        var found = path.utf8.first == UInt8(ascii: "/") ? "/" : "", isOther = false
        for name in path.split(separator: "/") {
            let next = Files.path(found, String(name))
            if Files.exists(next) {
                found = next
                continue
            }
            // Larger folders are not searched.
            guard let names = try? Files.names(in: found), names.count <= 10_000,
                let near = misspelt(String(name), among: names).first
            else { return nil }
            (found, isOther) = (Files.path(found, near), true)
        }
        return isOther ? found : nil
    }

    /// The suggestion for an error about a path that does not exist.
    package static func suggestion(forPath path: String) -> String? {
        existingPath(like: path).map { "did you mean \($0)?" }
    }

    private static func ranked(
        _ name: String, _ names: some Sequence<String>, form: (String) -> String = { $0 }
    ) -> [(distance: Int, name: String)] {
        // The cost is the product of both lengths.
        let typed = Array(name.utf8.prefix(256))
        return names.map { (distance(typed, Array(form($0).utf8.prefix(256))), $0) }
            .sorted { ($0.0, $0.1) < ($1.0, $1.1) }
    }

    /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment), a row of the table at a
    /// time.
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var above: [Int] = [], row = Array(0...b.count)
        for i in a.indices {
            var next = [i + 1]
            next.reserveCapacity(b.count + 1)
            for j in b.indices {
                var least = min(row[j] + (a[i] == b[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, above[j - 1] + 1) }
                next.append(least)
            }
            (above, row) = (row, next)
        }
        return row[b.count]
    }
}
