import AnnealCompiler
import AnnealCore
import Testing

struct ShardsTests {
    /// Like MXNet 1.9.1's `_split_input_slice` with equal work loads.
    @Test func slicesAreMXNets() throws {
        #expect(try Shards(batch: 128, count: 4).rows == [0..<32, 32..<64, 64..<96, 96..<128])
        #expect(try Shards(batch: 128, count: 3).rows == [0..<43, 43..<86, 86..<128])
        #expect(try Shards(batch: 10, count: 4).rows == [0..<2, 2..<4, 4..<6, 6..<10])
    }

    @Test func anEmptySliceIsAnError() {
        // round(6 / 4) = 2: nothing is left for the last one.
        let error = #expect(throws: AnnealError.self) { try Shards(batch: 6, count: 4) }
        #expect(error?.suggestion == "use 4 or 8")
    }

    @Test func inferenceTakesWhatThereIs() {
        #expect(Shards(batch: 1, most: 4).rows == [0..<1])
        #expect(Shards(batch: 6, most: 4).count == 3)
    }

    @Test func workersTakeNeighbours() {
        let ranges = (0..<3).map { Shards.range(of: $0, workers: 3, count: 4) }
        #expect(ranges == [0..<1, 1..<2, 2..<4])
    }

    @Test func treesSplitAtTheLargestPowerOfTwo() {
        #expect(SumTree.children(0..<3) == (0..<2, 2..<3))
        #expect(SumTree.children(0..<6) == (0..<4, 4..<6))
        #expect(SumTree.children(0..<8) == (0..<4, 4..<8))
        #expect(SumTree.nodes(within: 1..<4, of: 4) == [1..<2, 2..<4])
        #expect(SumTree.nodes(within: 0..<6, of: 6) == [0..<6])
    }

    /// However leaves are assigned to workers, the expression is the same.
    @Test(arguments: [1, 2, 3, 4, 6, 7, 8]) func anyWorkersMakeTheSameSum(shards: Int) {
        func sum(workers: Int) -> String? {
            var known: [Range<Int>: String] = [:]
            for worker in 0..<workers {
                for node in SumTree.nodes(
                    within: Shards.range(of: worker, workers: workers, count: shards), of: shards)
                {
                    known[node] = SumTree.sum(node, known: { $0.count == 1 ? "\($0.lowerBound)" : nil }) {
                        "(\($0)+\($1))"
                    }
                }
            }
            return SumTree.sum(0..<shards, known: { known[$0] }) { "(\($0)+\($1))" }
        }
        let one = sum(workers: 1)
        #expect(one != nil)
        for workers in 2...max(2, shards) where workers <= shards { #expect(sum(workers: workers) == one) }
    }

    @Test func aSumOfThreeIsLeftToRight() {
        let text = SumTree.sum(0..<3, known: { $0.count == 1 ? "\($0.lowerBound)" : nil }) { "(\($0)+\($1))" }
        #expect(text == "((0+1)+2)")
        #expect(SumTree.sum(["a", "b", "c", "d", "e"]) { "(\($0)\($1))" } == "(((ab)(cd))e)")
    }
}
