import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

extension Concat: CPUOperator {
    /// Blocked if an input is and no block would hold channels of two inputs; else plain.
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts {
        let shapes = request.inputs
        let axis = dim < 0 ? dim + shapes[0].rank : dim
        let blocked = request.given.lazy.compactMap { $0 }.first { if case .blocked = $0 { true } else { false } }
        guard let layout = blocked, axis != 1 || shapes.allSatisfy({ $0[1] % layout.block == 0 }) else {
            return request.plain
        }
        return OperandLayouts(inputs: shapes.map { _ in layout }, outputs: [layout])
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try joinKernel(
            site, axis: dim, parts: (0..<numArgs).map { .input($0) }, extents: extents(site), whole: .output(0))
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try cutKernel(
            site, axis: dim, whole: .outputGradient(0), parts: (0..<numArgs).map { .gradient($0) },
            extents: extents(site))
    }

    private func extents(_ site: KernelSite) throws -> [Int] {
        try (0..<numArgs).map { try site.inputShape($0)[dim] }
    }
}

/// Floats per row of each part, and the number of rows, when arrays are joined along an axis.
private struct Rows {
    let outer: Int
    private let axis: Int
    private let whole: Program.Value

    init(_ whole: Program.Value, axis: Int) {
        self.whole = whole
        self.axis = axis < 0 ? axis + whole.shape.rank : axis
        if whole.layout.block > 1, self.axis > 1 {
            outer =
                whole.layout.elements(whole.shape) / whole.shape.dims[self.axis...].reduce(1, *) / whole.layout.block
        } else {
            outer = whole.shape.dims[..<self.axis].reduce(1, *)
        }
    }

    func chunk(extent: Int) -> Int64 {
        var part = whole.shape
        part[axis] = extent
        return Int64(whole.layout.elements(part) / outer)
    }
}

/// Copies parts one after the other along an axis; parts that the instruction does not have are zeros. All operands
/// have the same layout.
func joinKernel(
    _ site: KernelSite, axis: Int, parts: [Program.Operand], extents: [Int], whole: Program.Operand
) throws -> PreparedKernel {
    let value = try site.value(whole)
    let rows = Rows(value, axis: axis), outer = Int64(rows.outer)
    let chunks = extents.map { rows.chunk(extent: $0) }
    return PreparedKernel { memory in
        let y = memory[whole]
        let sources: [UnsafePointer<Float>?] = parts.map { memory.optional($0).map { UnsafePointer($0) } }
        return { anneal_concat(sources, chunks, Int64(sources.count), outer, y) }
    }
}

/// Copies pieces of an array to its parts; parts that the instruction does not write are left out.
func cutKernel(
    _ site: KernelSite, axis: Int, whole: Program.Operand, parts: [Program.Operand], extents: [Int]
) throws -> PreparedKernel {
    let value = try site.value(whole)
    let rows = Rows(value, axis: axis), outer = Int64(rows.outer)
    let chunks = extents.map { rows.chunk(extent: $0) }
    return PreparedKernel { memory in
        let x = memory[whole]
        let targets: [UnsafeMutablePointer<Float>?] = parts.map { memory.optional($0) }
        return { anneal_split(x, targets, chunks, Int64(targets.count), outer) }
    }
}
