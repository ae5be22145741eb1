import AnnealCore

/// Rows of an input or an output.
struct RowBlock {
    let memory: Arena
    let width: Int
    let count: Int
    var buffer: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: memory.base, count: count) }

    init(rows: Int, shape: Shape) throws {
        width = shape.count / max(1, shape[0])
        count = rows * width
        memory = try Arena(count)
    }
}

/// The outputs and labels of a whole batch.
struct RowBlocks {
    var outputs: [Program.ValueID: RowBlock] = [:]
    var labels: [Program.ValueID: RowBlock] = [:]

    /// Whether no output is a NaN or an infinity.
    var areFinite: Bool { outputs.values.allSatisfy { $0.buffer.allSatisfy(\.isFinite) } }
}
