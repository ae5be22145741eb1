/// Progress reported by an engine while it compiles a program.
public enum CompilationReport: Sendable, Equatable {
    /// Compilation has begun and may take minutes: the beginning of a sentence.
    case began(String)
    /// It has finished, or an earlier result has been loaded.
    case ended(String)
    /// A warning, e.g. about a damaged file; the run continues.
    case remark(String)

    /// The message.
    public var text: String {
        switch self {
        case .began(let text), .ended(let text), .remark(let text): text
        }
    }
}
