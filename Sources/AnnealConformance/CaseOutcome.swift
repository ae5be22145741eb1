enum CaseOutcome {
    case passed
    case failed(String)
    case skipped(String)
}
