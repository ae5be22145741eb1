/// What an engine that compiles programs tells meanwhile.
public enum CompilationReport: Sendable, Equatable {
    /// Compiling has begun, which may take minutes: a sentence without its end.
    case began(String)
    /// It is over, or what was compiled before has been loaded.
    case ended(String)
    /// Something that does not keep it from running, e.g. a damaged file.
    case remark(String)

    /// The sentence.
    public var text: String {
        switch self {
        case .began(let text), .ended(let text), .remark(let text): text
        }
    }
}
