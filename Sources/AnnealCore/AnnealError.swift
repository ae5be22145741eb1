import Foundation

/// What went wrong, where, and how to fix it: the one error type that reaches a user.
///
/// The three parts are printed as one line: `place: problem (suggestion)`. Programs switch on the code:
///
/// ```swift
/// do {
///     classifier = try Classifier(prefix: "resnet-20", epoch: 10)
/// } catch let error as AnnealError {
///     switch error.code {
///     case .notFound: download()
///     case .outOfMemory: useSmallerModel()
///     default: show(error.localizedDescription)
///     }
/// }
/// ```
public struct AnnealError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of error, for programs to switch on: texts may change between versions, the meaning of a code does not.
    /// Later versions may add codes, so have a `default` case.
    public enum Code: String, Sendable, CaseIterable {
        /// The input cannot be used: an argument, a flag, an attribute, a setting, a shape. Also every error that no
        /// other code describes.
        case invalidInput
        /// A file, layer, parameter or name does not exist.
        case notFound
        /// The system refused to read or write: permissions, a full disk, a lock that another process holds.
        case ioFailure
        /// The contents of a file or image are not in its format, or are cut off.
        case damaged
        /// The input may be valid, but Anneal does not support it: an operator, an element type, a file format.
        case unsupported
        /// Two things do not match: a checkpoint and another network, labels and the number of classes.
        case mismatch
        /// Not enough memory.
        case outOfMemory
        /// A NaN or an infinity where a finite number is required, e.g. the loss of a diverged run.
        case notFinite
        /// A bug in Anneal.
        case internalDefect
    }

    /// The kind of error.
    public var code: Code
    /// The file, record, layer or flag that is at fault, e.g. `train.rec, byte 4096`.
    public var place: String
    /// What is wrong there: what was found and what was expected.
    public var problem: String
    /// What the user can do about it.
    public var suggestion: String?

    /// - Parameters:
    ///   - place: the file, record, layer or flag; may be empty and added later by `within`.
    ///   - problem: what was found and what was expected.
    ///   - suggestion: what the user can do about it.
    public init(_ place: String, _ problem: String, suggestion: String? = nil, code: Code = .invalidInput) {
        self.code = code
        self.place = place
        self.problem = problem
        self.suggestion = suggestion
    }

    public var description: String { suggestion.map { "\(summary) (\($0))" } ?? summary }

    private var summary: String { place.isEmpty ? problem : "\(place): \(problem)" }

    /// The same error with `outer` added before its place: `outer: place: problem`.
    public func within(_ outer: String) -> AnnealError {
        var error = self
        error.place = place.isEmpty ? outer : "\(outer): \(place)"
        return error
    }
}

extension AnnealError: LocalizedError {
    /// `place: problem`, also as `localizedDescription`.
    public var errorDescription: String? { summary }
    public var failureReason: String? { problem }
    /// The suggestion.
    public var recoverySuggestion: String? { suggestion }
}

extension AnnealError.Code {
    /// The code for a failed system call's `errno`.
    package init(errno: Int32) {
        switch errno {
        case ENOENT, ENOTDIR: self = .notFound
        case ENOMEM: self = .outOfMemory
        default: self = .ioFailure
        }
    }
}
