/// What came of one golden case.
public enum CaseOutcome: Sendable, Equatable {
    case passed
    /// The reason, with the largest error.
    case failed(String)
    /// What is not supported.
    case skipped(String)
}
