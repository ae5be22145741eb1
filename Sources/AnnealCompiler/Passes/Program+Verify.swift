import AnnealCore
import AnnealGraph

extension Program {
    /// Checks the invariants that every pass must keep: each value is written once, before it is read, and layouts
    /// agree with shapes.
    public func verify(after pass: String) throws {
        func wrong(_ instruction: Instruction, _ what: String) -> AnnealError {
            AnnealError(
                "layer \(instruction.layer)", "after \(pass): \(what)",
                suggestion: "this is a bug in Anneal's compiler", code: .internalDefect)
        }
        var written = values.map { $0.kind != .temporary && $0.kind != .derived }
        for instruction in preparation + instructions {
            for (role, value) in instruction.reads where !written[value] {
                throw wrong(instruction, "\(role) reads \(values[value].name) before it is written")
            }
            for (role, value) in instruction.writes {
                guard !written[value] else {
                    throw wrong(instruction, "\(role) writes \(values[value].name) a second time")
                }
                written[value] = true
            }
            for value in instruction.changes where values[value].kind == .temporary || values[value].kind == .derived {
                throw wrong(instruction, "changes \(values[value].name), which does not outlive the run")
            }
        }
        for output in outputs where !written[output] {
            throw AnnealError("output \(values[output].name)", "after \(pass): is never written", code: .internalDefect)
        }
        for value in values {
            if case .blocked = value.layout, value.shape.rank < 3 {
                throw AnnealError(
                    value.name, "after \(pass): \(value.shape) cannot have blocked channels", code: .internalDefect)
            }
        }
    }
}
