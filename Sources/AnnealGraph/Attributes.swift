import AnnealCore

/// Converts an operator's attributes, which MXNet's files hold as strings, to typed values.
public struct AttributeReader {
    /// The name of the operator, as in the file.
    package let operation: String
    private var rest: [String: String]

    package init(operation: String, _ attributes: [String: String]) {
        self.operation = operation
        // Annotations such as __lr_mult__ are not attributes of the operator.
        rest = attributes.filter { !($0.key.hasPrefix("__") && $0.key.hasSuffix("__")) }
        for key in AttributeReader.annotations { rest[key] = nil }
    }

    /// Annotations that MXNet before 0.9 writes without underscores.
    static let annotations = ["lr_mult", "wd_mult", "ctx_group", "force_mirroring", "mirror_stage"]

    /// The attribute as written; nil if absent or `None`.
    public mutating func string(_ key: String) -> String? {
        guard let text = rest.removeValue(forKey: key), text != "None" else { return nil }
        return text
    }

    /// Consumes an attribute with the value `None`, where that means something other than leaving it out; false if it
    /// has another value.
    public mutating func takeNone(_ key: String) -> Bool {
        guard rest[key] == "None" else { return false }
        rest[key] = nil
        return true
    }

    /// A truth value: `True`, `False`, `1` or `0`; the default if absent. Throws for any other text.
    public mutating func bool(_ key: String, default value: Bool) throws -> Bool {
        guard let text = string(key) else { return value }
        switch text {
        case "True", "true", "1": return true
        case "False", "false", "0": return false
        default: throw wrong(key, text, "True or False")
        }
    }

    /// A whole number; nil if absent or `None`. Throws for any other text.
    public mutating func int(_ key: String) throws -> Int? {
        guard let text = string(key) else { return nil }
        guard let value = AttributeReader.parseInt(text) else { throw wrong(key, text, "a whole number") }
        return value
    }

    public mutating func int(_ key: String, default value: Int) throws -> Int { try int(key) ?? value }

    /// A whole number that must be present. Throws if it is not.
    public mutating func required(_ key: String) throws -> Int {
        guard let value = try int(key) else { throw AnnealError("", "\(operation) requires the attribute \(key)") }
        return value
    }

    /// A number; nil if absent or `None`. Throws for any other text.
    public mutating func float(_ key: String) throws -> Float? {
        guard let text = string(key) else { return nil }
        guard let value = Float(text) else { throw wrong(key, text, "a number") }
        return value
    }

    /// A number in double precision; nil if absent or `None`. Throws for any other text.
    public mutating func double(_ key: String) throws -> Double? {
        guard let text = string(key) else { return nil }
        guard let value = Double(text) else { throw wrong(key, text, "a number") }
        return value
    }

    public mutating func float(_ key: String, default value: Float) throws -> Float { try float(key) ?? value }

    /// `(3, 3)`, `[3,3]`, `(3L, 3L)`, `3`; nil if absent, `None` or empty. An element `None` is given as nil.
    public mutating func optionalTuple(_ key: String) throws -> [Int?]? {
        guard let text = string(key) else { return nil }
        var inner = Substring(text)
        if let first = inner.first, first == "(" || first == "[" {
            guard inner.last == (first == "(" ? ")" : "]") else { throw wrong(key, text, "a tuple such as (3, 3)") }
            inner = inner.dropFirst().dropLast()
        }
        var values: [Int?] = []
        for part in inner.split(separator: ",") {
            let word = part.filter { $0 != " " }
            if word.isEmpty { continue }
            if word == "None" {
                values.append(nil)
            } else if let value = AttributeReader.parseInt(word) {
                values.append(value)
            } else {
                throw wrong(key, text, "a tuple such as (3, 3)")
            }
        }
        return values.isEmpty ? nil : values
    }

    public mutating func tuple(_ key: String) throws -> [Int]? {
        guard let values = try optionalTuple(key) else { return nil }
        return try values.map {
            guard let value = $0 else { throw wrong(key, "None", "whole numbers") }
            return value
        }
    }

    /// The limit for values that multiply extents: kernels, strides, repetitions. No real network needs more, and
    /// products with extents (inference allows at most 2^40 elements) stay far from overflow.
    static let largestFactor = 1 << 20

    mutating func factors(_ key: String) throws -> [Int]? {
        guard let values = try tuple(key) else { return nil }
        guard values.allSatisfy({ $0 <= AttributeReader.largestFactor }) else {
            throw wrong(key, "\(values)", "at most \(AttributeReader.largestFactor)")
        }
        return values
    }

    /// A factor of at least 1.
    mutating func requiredFactor(_ key: String, atMost limit: Int = largestFactor) throws -> Int {
        let value = try required(key)
        guard (1...limit).contains(value) else { throw wrong(key, "\(value)", "1 to \(limit)") }
        return value
    }

    /// A value of an enumeration with MXNet's words as raw values.
    public mutating func choice<T: RawRepresentable & CaseIterable>(_ key: String, default value: T?) throws -> T
    where T.RawValue == String {
        guard let text = string(key) else {
            guard let value else { throw AnnealError("", "\(operation) requires the attribute \(key)") }
            return value
        }
        guard let chosen = T(rawValue: text) else {
            throw wrong(key, text, "one of " + T.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return chosen
    }

    /// Attributes that tune other engines (workspace, cuDNN) and have no effect here.
    public mutating func ignore(_ keys: String...) {
        for key in keys { rest[key] = nil }
    }

    /// The error for an attribute with an invalid value.
    public func wrong(_ key: String, _ found: String, _ expected: String) -> AnnealError {
        AnnealError("", "attribute \(key) of \(operation) is '\(found)'", suggestion: "it must be \(expected)")
    }

    package func finish() throws {
        guard let key = rest.keys.sorted().first, let value = rest[key] else { return }
        throw AnnealError("", "\(operation) has an attribute '\(key)' = '\(value)' that Anneal does not know")
    }

    private static func parseInt(_ text: String) -> Int? {
        let digits = text.hasSuffix("L") ? String(text.dropLast()) : text
        guard let value = Int(digits), value > -(1 << 40), value < 1 << 40 else { return nil }
        return value
    }
}

/// Formats attribute values as Python does, and therefore MXNet's files.
package enum AttributeText {
    package static func bool(_ value: Bool) -> String { value ? "True" : "False" }

    package static func tuple(_ values: [Int]) -> String {
        values.count == 1 ? "(\(values[0]),)" : "(" + values.map(String.init).joined(separator: ", ") + ")"
    }

    /// Python's repr of a float: `0.9`, `2e-05`, `1e-10`.
    package static func float(_ value: Double) -> String {
        let text = "\(value)"
        guard let exponent = text.firstIndex(of: "e") else { return text }
        let mantissa = text[..<exponent], power = text[text.index(after: exponent)...]
        let digits = power.drop { $0 == "-" || $0 == "+" }
        let sign = power.first == "-" ? "-" : "+"
        let short = mantissa.hasSuffix(".0") ? mantissa.dropLast(2) : mantissa
        return "\(short)e\(sign)\(digits.count < 2 ? "0" : "")\(digits)"
    }
}
