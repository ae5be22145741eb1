import AnnealCompiler
import AnnealCore
import AnnealGraph

/// An engine of plain loops: each operator as its definition reads, in double precision, with plain layouts, without
/// fusion and recomputation.
///
/// Other engines' kernels are tested against it, and it is the shortest example of what an engine must implement. It is
/// slow: for tests and small networks.
package final class ReferenceEngine: KernelEngine {
    package let name = "reference"
    package var reproducesMXNetDefects = false
    /// The error of the last kernel that failed.
    private var failure: String?

    package init() {}

    package func prepare(_ site: KernelSite) throws -> PreparedKernel {
        switch site.instruction.action {
        case .sum:
            return kernel(site) { operands in
                operands.write(.output(0), NDArray.map(operands[.input(0)], operands[.input(1)], +))
            }
        case .forward(let op), .recompute(let op):
            let op = try reference(op)
            return kernel(site) { try op.forward($0) }
        case .backward(let op, let part):
            let op = try reference(op)
            return kernel(site) { try op.backward($0, part: part) }
        case .update(let action): return kernel(site) { try $0.run(action) }
        }
    }

    private func reference(_ op: any Operator) throws -> any ReferenceOperator {
        guard let op = op as? any ReferenceOperator else {
            throw AnnealError("", "the operator \(op.operation) is not in the reference engine")
        }
        return op
    }

    private func kernel(_ site: KernelSite, _ body: @escaping (Operands) throws -> Void) -> PreparedKernel {
        let reproducesMXNetDefects = reproducesMXNetDefects
        return .checked { [unowned self] memory in
            let operands = Operands(site: site, memory: memory, reproducesMXNetDefects: reproducesMXNetDefects)
            return {
                do {
                    try body(operands)
                    return 0
                } catch {
                    self.failure = "\(error)"
                    return 1
                }
            }
        }
    }

    package func message(_ status: Int32) -> String { failure ?? "status \(status)" }

    package func supports(_ type: any Operator.Type) -> Bool { type is any ReferenceOperator.Type }
}

/// An operator's definition as loops.
protocol ReferenceOperator: Operator {
    /// Reads the inputs and writes the outputs, and in training the values that the backward pass reads.
    func forward(_ operands: Operands) throws
    /// Reads the operands that the part's definition (`Operator.backward`) names and writes the requested gradients.
    func backward(_ operands: Operands, part: Int) throws
}

/// The operands of an operator in one run.
struct Operands {
    typealias Role = Program.Operand

    let site: KernelSite
    let memory: KernelMemory
    let reproducesMXNetDefects: Bool

    init(site: KernelSite, memory: KernelMemory, reproducesMXNetDefects: Bool) {
        self.site = site
        self.memory = memory
        self.reproducesMXNetDefects = reproducesMXNetDefects
    }

    var isTraining: Bool { site.mode == .training }

    func has(_ role: Role) -> Bool { site.has(role) }

    /// The shape of an operator's input, even in a backward pass that does not read it.
    func inputShape(_ index: Int) throws -> Shape { try site.inputShape(index) }

    /// Whether MXNet writes the data's gradient over the output gradient where it can.
    var overwritesOutputGradient: Bool { has(.gradient(0)) && (try? site.value(.outputGradient(0)).kind) == .temporary }

    func shape(_ role: Role) throws -> Shape { try site.shape(role) }

    /// An operand's values; nil if the instruction has no such operand.
    func optional(_ role: Role) -> NDArray? {
        guard let pointer = memory.optional(role), let shape = try? site.shape(role) else { return nil }
        return NDArray(shape, (0..<shape.count).map { Double(pointer[$0]) })
    }

    subscript(role: Role) -> NDArray {
        guard let array = optional(role) else { preconditionFailure("the instruction has no operand \(role)") }
        return array
    }

    /// Rounds to float32 and stores; an operand that is not requested is skipped.
    func write(_ role: Role, _ array: NDArray) {
        guard let pointer = memory.optional(role) else { return }
        for (index, element) in array.elements.enumerated() { pointer[index] = Float(element) }
    }

    /// The uniform random numbers of the layer in this step for an array, the same on every engine: a Philox counter for
    /// each sample, group of four channels and position gives the four channels' words.
    func uniform(_ shape: Shape) -> NDArray {
        var hash: UInt32 = 0x811c_9dc5
        for byte in site.layer.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        let channels = shape.rank >= 2 ? shape[1] : shape.count, samples = shape.rank >= 2 ? shape[0] : 1
        let positions = shape.dims.dropFirst(2).reduce(1, *), groups = (channels + 3) / 4
        var result = NDArray(shape)
        for sample in 0..<samples {
            for channel in 0..<channels {
                for position in 0..<positions {
                    let number = memory.clock.inputs.firstSample + sample
                    let counter = (number * groups + channel / 4) * positions + position
                    let words = Random.philox(
                        counter: UInt32(truncatingIfNeeded: counter), stream: hash,
                        step: UInt32(truncatingIfNeeded: memory.clock.inputs.step), purpose: .dropout,
                        seed: memory.clock.inputs.seed)
                    result[(sample * channels + channel) * positions + position] =
                        Double(Float(words[channel % 4] >> 8) * 0x1p-24)
                }
            }
        }
        return result
    }

    // MARK: Element by element

    func map(_ from: Role, to target: Role, _ f: (Double) -> Double) { write(target, self[from].map(f)) }

    func map(_ a: Role, _ b: Role, to target: Role, _ f: (Double, Double) -> Double) {
        write(target, NDArray.map(self[a], self[b], f))
    }
}

/// The derivative of a smooth function, by a central difference: independent of any formula for the derivative.
func slope(of f: (Double) -> Double, at x: Double) -> Double {
    let step = 1e-5 * max(abs(x), 1e-3)
    return (f(x + step) - f(x - step)) / (2 * step)
}
