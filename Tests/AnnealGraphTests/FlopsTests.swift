import AnnealCore
import AnnealGraph
import Testing

@Suite struct FlopsTests {
    /// Operator, attributes, shapes of the first inputs, and counted by hand: multiply-adds and floating-point
    /// operations.
    static let table: [(String, [String: String], [Shape], Double, Double)] = [
        ("Convolution", ["kernel": "(3, 3)", "num_filter": "8"], [[2, 4, 9, 7]], 2 * 8 * 7 * 5 * 36, 40320),
        // Each filter of a group sees half of the channels.
        (
            "Convolution", ["kernel": "(1, 1)", "num_filter": "8", "num_group": "2"], [[1, 4, 3, 3]], 8 * 9 * 2, 288
        ),
        ("Deconvolution", ["kernel": "(4, 4)", "num_filter": "3"], [[2, 5, 3, 3]], 2 * 5 * 9 * 3 * 16, 8640),
        ("FullyConnected", ["num_hidden": "5"], [[2, 3, 4]], 2 * 5 * 12, 240),
        ("FullyConnected", ["num_hidden": "5", "flatten": "False"], [[2, 3, 4]], 2 * 3 * 5 * 4, 240),
        ("dot", ["transpose_a": "True", "transpose_b": "True"], [[3, 2], [4, 3]], 2 * 4 * 3, 48),
        ("batch_dot", [:], [[5, 2, 3], [5, 3, 4]], 5 * 2 * 4 * 3, 240),
        ("Pooling", ["kernel": "(3, 3)", "stride": "(2, 2)"], [[1, 2, 8, 8]], 0, 2 * 9 * 9),
        ("Pooling", ["global_pool": "True", "pool_type": "avg"], [[1, 2, 8, 5]], 0, 80),
        ("BatchNorm", [:], [[2, 3, 4, 4]], 0, 192),
        ("Activation", ["act_type": "relu"], [[2, 3]], 0, 6),
        ("add_n", ["num_args": "3"], [[2, 3]], 0, 12),
        ("sum", [:], [[2, 3]], 0, 6),
        ("Flatten", [:], [[2, 3, 4]], 0, 0),
        ("Concat", ["num_args": "2"], [[2, 3], [2, 5]], 0, 0),
        ("transpose", [:], [[2, 3, 4]], 0, 0),
    ]

    @Test(arguments: table.indices) func byHand(_ row: Int) throws {
        let (name, attributes, given, products, flops) = Self.table[row]
        let op = try OperatorRegistry.make(name, attributes)
        var inputs: [Shape?] = Array(repeating: nil, count: op.inputNames.count + op.auxiliaryNames.count)
        for (index, shape) in given.enumerated() { inputs[index] = shape }
        let outputs = try #require(try op.inferShapes(&inputs))
        let known = inputs.compactMap { $0 }
        #expect(op.multiplyAdds(inputs: known, outputs: outputs) == products, "\(name)")
        #expect(op.flops(inputs: known, outputs: outputs) == flops, "\(name)")
    }
}
