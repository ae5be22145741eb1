/// What went wrong, where, and how to fix it: the one error type that reaches a user.
///
/// The three parts are printed as one line: `place: problem (suggestion)`.
public struct AnnealError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file, record, layer or flag that is at fault, e.g. `train.rec, byte 4096`.
    public var place: String
    /// What is wrong there: what was found and what was expected.
    public var problem: String
    /// What the user can do about it.
    public var suggestion: String?

    public init(_ place: String, _ problem: String, suggestion: String? = nil) {
        self.place = place
        self.problem = problem
        self.suggestion = suggestion
    }

    public var description: String {
        let head = place.isEmpty ? problem : "\(place): \(problem)"
        return suggestion.map { "\(head) (\($0))" } ?? head
    }

    /// The same error with a wider place before its own: `outer: place: problem`.
    public func within(_ outer: String) -> AnnealError {
        AnnealError(place.isEmpty ? outer : "\(outer): \(place)", problem, suggestion: suggestion)
    }
}
