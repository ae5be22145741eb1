import AnnealCore
import AnnealGraph
import AnnealImport
import Foundation
import Testing

/// Files that MXNet 1.9.1 wrote: two updates with gradients of 1 and 2 and a rate of 0.1.
@Suite struct OptimizerStatesTests {
    private func states(_ name: String) throws -> [Int: [StoredArray]] {
        try OptimizerStatesFile.decode(Files.read("Tests/Fixtures/states/\(name).states"))
    }

    private func isClose(_ array: StoredArray?, _ shape: Shape, _ value: Float) -> Bool {
        guard let array, array.shape == shape else { return false }
        return array.tensor().elements.allSatisfy { abs($0 - value) < 1e-6 * max(1, abs(value)) }
    }

    @Test func readsMomentum() throws {
        let found = try states("sgd")
        // -0.1 g, then 0.9 of it less 0.1 g: -0.19 g.
        #expect(found.count == 2 && found.values.allSatisfy { $0.count == 1 })
        #expect(isClose(found[0]?.first, [2, 3], -0.19))
        #expect(isClose(found[1]?.first, [4], -0.38))
        let none = try states("sgd-without-momentum")
        #expect(none.count == 1 && none[0]?.isEmpty == true)
    }

    @Test func readsPairs() throws {
        let found = try states("adam")
        // The mean (1 - 0.9²) g and the square (1 - 0.999²) g².
        #expect(isClose(found[0]?.first, [2, 3], 0.19) && isClose(found[0]?.last, [2, 3], 0.001999))
        #expect(isClose(found[1]?.first, [4], 0.38) && isClose(found[1]?.last, [4], 0.007996))
    }

    @Test func writesWhatItReads() throws {
        for name in ["sgd", "adam", "sgd-without-momentum"] {
            let found = try states(name), again = try OptimizerStatesFile.decode(OptimizerStatesFile.encode(found))
            #expect(again == found, "\(name)")
        }
    }

    @Test func refusesOtherPickles() throws {
        let list = Data([0x80, 2, UInt8(ascii: "]"), UInt8(ascii: ".")])
        #expect(throws: AnnealError.self) { try OptimizerStatesFile.decode(list) }
        let cut = try Files.read("Tests/Fixtures/states/adam.states").dropLast(20)
        #expect(throws: AnnealError.self) { try OptimizerStatesFile.decode(Data(cut)) }
    }
}
