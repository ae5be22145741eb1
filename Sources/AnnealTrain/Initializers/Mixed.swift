import AnnealCore
import Foundation

/// Several initializers by regular expression: the first expression that matches at the start of a parameter's name
/// decides; MXNet's `Mixed`.
public struct Mixed: Initializer {
    public static let name = "mixed"

    private let parts: [(pattern: String, initializer: any Initializer)]

    /// Throws if a pattern is not a valid regular expression.
    public init(_ parts: [(pattern: String, initializer: any Initializer)]) throws {
        for part in parts {
            do {
                _ = try Regex(part.pattern)
            } catch {
                throw AnnealError("initializer mixed", "'\(part.pattern)' is not a regular expression")
            }
        }
        self.parts = parts
    }

    public init(options: inout NamedOptions) throws {
        throw AnnealError("initializer mixed", "cannot be created by name", suggestion: "create it in Swift")
    }

    public func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor {
        try choose(name).weight(name, shape, &random)
    }

    public func parameter(_ name: String, _ shape: Shape, attributes: [String: String], seed: UInt64) throws -> Tensor {
        try choose(name).parameter(name, shape, attributes: attributes, seed: seed)
    }

    private func choose(_ name: String) throws -> any Initializer {
        for part in parts where try Regex(part.pattern).prefixMatch(in: name) != nil { return part.initializer }
        throw AnnealError("parameter \(name)", "matches no pattern of mixed", suggestion: "add '.*' as the last")
    }
}

/// Existing values by name, and an initializer for the rest; MXNet's `Load`.
public struct Load: Initializer {
    public static let name = "load"

    private let values: [String: Tensor]
    private let rest: (any Initializer)?

    /// - Parameter values: by name, with or without the prefixes `arg:` and `aux:` of checkpoints.
    public init(_ values: [String: Tensor], rest: (any Initializer)? = nil) {
        self.values = Dictionary(
            values.map { name, value in
                (name.hasPrefix("arg:") || name.hasPrefix("aux:") ? String(name.dropFirst(4)) : name, value)
            }, uniquingKeysWith: { $1 })
        self.rest = rest
    }

    public init(options: inout NamedOptions) throws {
        throw AnnealError("initializer load", "cannot be created by name", suggestion: "create it in Swift")
    }

    public func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor {
        if let value = try stored(name, shape) { return value }
        return try remaining(name).weight(name, shape, &random)
    }

    public func parameter(_ name: String, _ shape: Shape, attributes: [String: String], seed: UInt64) throws -> Tensor {
        if let value = try stored(name, shape) { return value }
        return try remaining(name).parameter(name, shape, attributes: attributes, seed: seed)
    }

    private func stored(_ name: String, _ shape: Shape) throws -> Tensor? {
        guard let value = values[name] else { return nil }
        guard value.shape == shape else {
            throw AnnealError(
                "parameter \(name)", "has shape \(shape), but the loaded one \(value.shape)", code: .mismatch)
        }
        return value
    }

    private func remaining(_ name: String) throws -> any Initializer {
        guard let rest else { throw AnnealError("parameter \(name)", "is not among the loaded ones", code: .notFound) }
        return rest
    }
}
