import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels
import COneDNN

/// The engine of this machine's processor: oneDNN's primitives and our own kernels, on one thread pool.
package final class CPUEngine: KernelEngine {
    package let name = "cpu"
    package var arithmetic: String { Self.instructions }
    /// The instruction set of the kernels: portable, avx2 or avx512.
    package static var instructions: String {
        ank_variant_name(ank_variant()).map { String(cString: $0) } ?? "portable"
    }
    let handle: OpaquePointer
    /// Channels in a block: what oneDNN's kernels for this processor use.
    let block: Int
    /// Computes also what MXNet 1.9.1 plainly gets wrong as it does, to reproduce its numbers: the gradients of the
    /// LeakyReLUs selu and prelu, and of a SoftmaxActivation along a last axis that is not the channels.
    package var reproducesMXNetDefects = false

    /// Threads of its kernels: a pool of its own for each thread that calls it.
    package let threads: Int

    /// - Parameter threads: those of the process if nil (`Parallel.threads`).
    package init(threads: Int? = nil) throws {
        self.threads = threads ?? Parallel.threads
        var engine: OpaquePointer?
        try check(adnn_engine_create(&engine), "creating the CPU engine")
        guard let engine else { throw AnnealError("oneDNN", "gave no engine", code: .internalDefect) }
        handle = engine
        block = ank_vector_floats() >= 16 ? 16 : 8
    }

    deinit { adnn_engine_destroy(handle) }

    package func layouts(
        _ op: any Operator, inputs: [Shape], outputs: [Shape], given: [Layout?], mode: Program.Mode, layer: String
    ) throws -> OperandLayouts {
        try cpu(op, layer).layouts(
            LayoutRequest(engine: self, inputs: inputs, outputs: outputs, given: given, mode: mode, layer: layer))
    }

    package func accumulates(_ op: any Operator, part: Int) -> Bool {
        (op as? any CPUOperator)?.accumulates(part: part) ?? false
    }

    package func addsHeads(_ op: any Operator, part: Int, writes: [Program.Operand]) -> Bool {
        (op as? any CPUOperator)?.addsHeads(part: part, writes: writes) ?? false
    }

    package func repeatsFromSaved(_ op: any Operator) -> Bool { (op as? any CPUOperator)?.repeatsFromSaved ?? false }

    package func prepare(_ site: KernelSite) throws -> PreparedKernel {
        switch site.instruction.action {
        case .sum: return try sum(site)
        case .update(let action): return action.kernel(site)
        case .forward(let op), .recompute(let op): return try cpu(op, site.layer).forward(site, self)
        case .backward(let op, let part): return try cpu(op, site.layer).backward(site, part: part, self)
        }
    }

    private func cpu(_ op: any Operator, _ layer: String) throws -> any CPUOperator {
        guard let op = op as? any CPUOperator else {
            throw AnnealError("layer \(layer)", "the operator \(op.operation) has no CPU kernel", code: .unsupported)
        }
        return op
    }

    private func sum(_ site: KernelSite) throws -> PreparedKernel {
        let value = try site.value(.output(0))
        let count = Int64(value.layout.elements(value.shape))
        var kernel = PreparedKernel { memory in
            let a = memory[.input(0)], b = memory[.input(1)], y = memory[.output(0)]
            return { ank_add(a, b, y, 0, count) }
        }
        kernel.inPlace = [(.input(0), .output(0)), (.input(1), .output(0))]
        return kernel
    }

    package var choosesLayouts: Bool { true }

    package func withThreads(_ body: () -> Void) {
        // The number belongs to the calling thread: a task's thread has another than the one that made the engine.
        let before = Parallel.threads
        guard before != threads else { return body() }
        Parallel.setThreads(threads)
        body()
        Parallel.setThreads(before)
    }

    package func supports(_ type: any Operator.Type) -> Bool { type is any CPUOperator.Type }

    package func message(_ status: Int32) -> String { "oneDNN says \(String(cString: adnn_status_text(status)))" }

    package func write(_ tensor: Tensor, to memory: UnsafeMutablePointer<Float>, layout: Layout) throws {
        try tensor.elements.withUnsafeBufferPointer { source in
            guard let base = source.baseAddress else { return }
            switch layout {
            case .plain: memory.update(from: base, count: source.count)
            case .blocked(let block): relayout(base, 1, memory, block, tensor.shape)
            case .opaque(let layout): try layout.weights().pack(base, into: memory)
            }
        }
    }

    package func read(_ memory: UnsafePointer<Float>, shape: Shape, layout: Layout) throws -> Tensor {
        let elements = try [Float](unsafeUninitializedCapacity: shape.count) { buffer, initialized in
            initialized = shape.count
            guard let base = buffer.baseAddress, shape.count > 0 else { return }
            switch layout {
            case .plain: base.update(from: memory, count: shape.count)
            case .blocked(let block): relayout(memory, block, base, 1, shape)
            case .opaque(let layout): try layout.weights().unpack(memory, into: base)
            }
        }
        return Tensor(shape, elements)
    }

    private func relayout(
        _ source: UnsafePointer<Float>, _ from: Int, _ target: UnsafeMutablePointer<Float>, _ to: Int, _ shape: Shape
    ) {
        let dims = Dims(shape, .plain).c
        ank_relayout(source, Int64(from), target, Int64(to), dims.n, dims.c, dims.s)
    }
}

/// Throws oneDNN's status with what was being done.
func check(_ status: Int32, _ doing: @autoclosure () -> String) throws {
    guard status != 0 else { return }
    throw AnnealError("", "\(doing()): oneDNN says \(String(cString: adnn_status_text(status)))", code: .internalDefect)
}

/// What an operator is asked about layouts.
package struct LayoutRequest {
    let engine: CPUEngine
    let inputs: [Shape]
    let outputs: [Shape]
    /// nil: a parameter whose layout is free.
    let given: [Layout?]
    let mode: Program.Mode
    let layer: String

    /// All operands plain.
    var plain: OperandLayouts {
        OperandLayouts(inputs: inputs.map { _ in .plain }, outputs: outputs.map { _ in .plain })
    }

    /// Activations of one shape share the layout of the first that is blocked; everything else is plain.
    var following: OperandLayouts {
        let leader = zip(inputs, given).first { shape, layout in
            guard shape == inputs[0], let layout, case .blocked = layout else { return false }
            return true
        }
        let layout = (leader?.1 ?? nil) ?? .plain
        return OperandLayouts(
            inputs: inputs.map { $0 == inputs[0] ? layout : .plain },
            outputs: outputs.map { $0.rank >= 3 ? layout : .plain })
    }
}

/// An operator's kernels on the CPU. Each operator conforms in the file of its name.
package protocol CPUOperator: Operator {
    func layouts(_ request: LayoutRequest) throws -> OperandLayouts
    func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel
    func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel
    /// Whether a part can add to a gradient that is there already (the operand `accumulated`).
    func accumulates(part: Int) -> Bool
    /// Whether a part that writes these operands can add up two output gradients (the operand `secondHead`).
    func addsHeads(part: Int, writes: [Program.Operand]) -> Bool
    /// Whether the forward kernel is cheaper where it reads what it saved.
    var repeatsFromSaved: Bool { get }
}

extension CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.plain }
    package func accumulates(part: Int) -> Bool { false }
    package func addsHeads(part: Int, writes: [Program.Operand]) -> Bool { false }
    package var repeatsFromSaved: Bool { false }
}

/// The kernels' view of an activation: batch, channels, positions, block.
struct Dims {
    let c: ank_dims

    /// Arrays of fewer than three axes are one position (batch, channels), or a vector of channels.
    init(_ shape: Shape, _ layout: Layout) {
        let n = shape.rank >= 2 ? shape[0] : 1
        let channels = shape.rank >= 2 ? shape[1] : shape.count
        c = ank_dims(
            n: Int64(n), c: Int64(channels), s: Int64(shape.dims.dropFirst(2).reduce(1, *)), b: Int64(layout.block))
    }

    init(_ value: Program.Value) { self.init(value.shape, value.layout) }

    var elements: Int64 { ank_elements(c) }
}
