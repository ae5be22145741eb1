import AnnealCore

/// The parts of shards' gradients that 2-bit compression has not sent yet.
///
/// Residuals are states of the store, so that they are saved with a run's state: those of a process's own shards, and
/// in the process that saves those of all.
final class Residuals {
    private let threshold: Float
    private let arrays: [Int: [HostArray]]

    /// - Parameters:
    ///   - gradients: the parameters, and the values that are their gradients.
    init(
        _ gradients: [(name: String, value: Program.Value)], shards: Range<Int>, threshold: Float,
        store: ParameterStore, engine: any KernelEngine
    ) throws {
        self.threshold = threshold
        var arrays: [Int: [HostArray]] = [:]
        for shard in shards {
            let values = gradients.map { name, value in
                Program.Value(
                    name: StateName.residual(shard: shard, parameter: name).text, shape: value.shape, kind: .state,
                    layout: value.layout)
            }
            try store.adopt(values) { try HostArray.make($0, engine: engine) }
            arrays[shard] = try values.map { value in
                guard let array = try store.array(value) as? HostArray, array.layout == value.layout else {
                    throw AnnealError("state \(value.name)", "is in another layout", code: .internalDefect)
                }
                return array
            }
        }
        self.arrays = arrays
    }

    /// Compresses a shard's gradient of a parameter.
    /// - Parameter index: its index among the gradients.
    func quantize(_ gradient: UnsafeMutablePointer<Float>, shard: Int, index: Int) {
        guard let residual = arrays[shard]?[index] else { return }
        GradientCompression.quantize(gradient, residual.memory, residual.count, threshold: threshold)
    }

    /// Sends the residuals of all shards to the first process.
    func collect(_ count: Int, _ group: any ProcessGroup) throws {
        let elements = arrays.values.first?.reduce(0) { $0 + $1.count } ?? 0
        let isFirst = group.rank == 0
        let ranges = (0..<group.size).map { Shards.range(of: $0, workers: group.size, count: count) }
        let block = try Arena((isFirst ? count : ranges[group.rank].count) * elements)
        let first = isFirst ? 0 : ranges[group.rank].lowerBound
        func copy(_ shards: Range<Int>, _ body: (_ array: HostArray, _ place: UnsafeMutablePointer<Float>) -> Void) {
            for shard in shards {
                var place = block.base + (shard - first) * elements
                for array in arrays[shard] ?? [] {
                    body(array, place)
                    place += array.count
                }
            }
        }
        let none = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        func bytes(_ shards: Range<Int>) -> UnsafeMutableRawBufferPointer {
            UnsafeMutableRawBufferPointer(
                UnsafeMutableBufferPointer(
                    start: block.base + (shards.lowerBound - first) * elements, count: shards.count * elements))
        }
        copy(ranges[group.rank]) { $1.update(from: $0.memory, count: $0.count) }
        let own = UnsafeRawBufferPointer(bytes(ranges[group.rank]))
        try group.exchange(
            (0..<group.size).map { $0 == 0 ? own : UnsafeRawBufferPointer(none) },
            ranges.map { isFirst ? bytes($0) : none }, purpose: "residuals of gradients")
        guard isFirst else { return }
        for shards in ranges.dropFirst() { copy(shards) { $0.memory.update(from: $1, count: $0.count) } }
    }
}
