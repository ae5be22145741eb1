/// The result of one golden case.
public enum CaseOutcome: Sendable, Equatable {
    case passed
    /// The reason, with the largest error.
    case failed(String)
    /// What is not supported.
    case skipped(String)
}

extension CaseOutcome {
    /// Passed if both are; a failure outranks a skip.
    func and(_ other: CaseOutcome) -> CaseOutcome {
        switch (self, other) {
        case (.failed(let first), .failed(let second)): .failed(first + "\n" + second)
        case (.failed, _): self
        case (_, .failed): other
        case (.skipped, _): self
        case (.passed, _): other
        }
    }
}
