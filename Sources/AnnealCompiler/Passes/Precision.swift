import AnnealCore
import AnnealGraph

/// The type of a value's elements.
public enum ElementType: String, Sendable, CaseIterable {
    case float32, bfloat16, float16, uint8
}

/// Sets the type of each value: activations and their gradients have the requested type; parameters, their gradients,
/// statistics, losses and everything after the gradients are float32.
package enum Precision {
    package static func assign(_ type: ElementType, to program: Program) throws -> Program {
        guard type != .float32 else { return program }
        guard type != .uint8 else {
            throw AnnealError(
                "precision \(type.rawValue)", "is not supported: networks compute in float32, bfloat16 or float16")
        }
        var result = program
        let exact = Set(program.gradients.values).union(program.outputs)
        for instruction in program.instructions {
            switch instruction.action {
            case .update: continue
            case .forward(let op), .recompute(let op), .backward(let op, _): if op.isLoss { continue }
            case .sum: break
            }
            for (role, id) in instruction.writes where program.values[id].kind == .temporary && !exact.contains(id) {
                switch role {
                case .output(let index):
                    if instruction.action.op?.exactOutputs.contains(index) != true { result.values[id].type = type }
                case .gradient: result.values[id].type = type
                // Saved values other than outputs are sums, statistics and indices.
                default: break
                }
            }
        }
        return result
    }
}
