import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels
import COneDNN

/// The CPU engine: oneDNN's primitives and our own kernels, on one thread pool.
package final class CPUEngine: KernelEngine {
    package let name = "cpu"
    let handle: OpaquePointer
    /// Channels per block, as in oneDNN's kernels for this CPU.
    let block: Int
    /// Reproduces clear bugs of MXNet 1.9.1, to get its numbers: the gradients of LeakyReLU's selu and prelu, and of a
    /// SoftmaxActivation along a last axis that is not the channels.
    package var reproducesMXNetDefects = false

    /// Threads of its kernels: each thread that calls it has its own pool.
    package let threads: Int

    /// - Parameter threads: the process's default if nil (`Parallel.threads`).
    package init(threads: Int? = nil) throws {
        self.threads = threads ?? Parallel.threads
        var engine: OpaquePointer?
        try check(onednn_engine_create(&engine), "creating the CPU engine")
        guard let engine else { throw AnnealError("oneDNN", "returned no engine", code: .internalDefect) }
        handle = engine
        block = Int(anneal_vector_floats())
    }

    deinit { onednn_engine_destroy(handle) }

    /// This process: its kernels' instruction set and its version of oneDNN.
    package static var machine: RunMachine {
        let version = onednn_version(), kernels = anneal_variant_name(anneal_variant()).map { String(cString: $0) }
        return RunMachine(
            kernels: kernels ?? "portable", library: "oneDNN \(version.major).\(version.minor).\(version.patch)")
    }

    package var machine: RunMachine { Self.machine }

    package func layouts(
        _ op: any Operator, inputs: [Shape], outputs: [Shape], given: [Layout?], mode: Program.Mode, layer: String
    ) throws -> OperandLayouts {
        try cpu(op, layer).layouts(
            LayoutRequest(engine: self, inputs: inputs, outputs: outputs, given: given, mode: mode, layer: layer))
    }

    package func accumulates(_ op: any Operator, part: Int) -> Bool {
        (op as? any CPUOperator)?.accumulates(part: part) ?? false
    }

    package func addsOutputGradients(_ op: any Operator, part: Int, writes: [Program.Operand]) -> Bool {
        (op as? any CPUOperator)?.addsOutputGradients(part: part, writes: writes) ?? false
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
            return { anneal_add(a, b, y, 0, count) }
        }
        kernel.inPlace = [(.input(0), .output(0)), (.input(1), .output(0))]
        return kernel
    }

    package var choosesLayouts: Bool { true }

    package func withThreads(_ body: () -> Void) {
        // The number of threads belongs to the calling thread: a task's thread is not the one that created the engine.
        let before = Parallel.threads
        guard before != threads else { return Parallel.withoutSignals(body) }
        Parallel.setThreads(threads)
        Parallel.withoutSignals(body)
        Parallel.setThreads(before)
    }

    package func supports(_ type: any Operator.Type) -> Bool { type is any CPUOperator.Type }

    package func message(_ status: Int32) -> String { "oneDNN says \(String(cString: onednn_status_text(status)))" }

    package func write(_ tensor: Tensor, to memory: UnsafeMutablePointer<Float>, layout: Layout) throws {
        try tensor.elements.withUnsafeBufferPointer { source in
            guard let base = source.baseAddress else { return }
            switch layout {
            case .plain: memory.update(from: base, count: source.count)
            case .blocked(let block): relayout(base, 1, memory, block, tensor.shape)
            case .opaque(let layout): try Parallel.withoutSignals { try layout.weights().pack(base, into: memory) }
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
            case .opaque(let layout): try Parallel.withoutSignals { try layout.weights().unpack(memory, into: base) }
            }
        }
        return Tensor(shape, elements)
    }

    private func relayout(
        _ source: UnsafePointer<Float>, _ from: Int, _ target: UnsafeMutablePointer<Float>, _ to: Int, _ shape: Shape
    ) {
        let dims = Dims(shape, .plain).c
        anneal_relayout(source, Int64(from), target, Int64(to), dims.n, dims.c, dims.s)
    }
}

/// Throws oneDNN's status with a description of the call.
func check(_ status: Int32, _ doing: @autoclosure () -> String) throws {
    guard status != 0 else { return }
    throw AnnealError(
        "", "\(doing()): oneDNN says \(String(cString: onednn_status_text(status)))", code: .internalDefect)
}
