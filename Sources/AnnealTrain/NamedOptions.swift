import AnnealCore
import Foundation

/// The value of a named option, from `case.json`, a config file or a flag.
public enum OptionValue: Sendable, Equatable {
    case number(Double)
    case flag(Bool)
    case text(String)
    case list([OptionValue])
    /// Python's None: turns the option off.
    case none

    /// A value from `JSONSerialization`; nil for an object, which no option takes.
    public init?(json: Any) {
        switch json {
        case is NSNull: self = .none
        case let text as String: self = .text(text)
        case let list as [Any]:
            var values: [OptionValue] = []
            for element in list {
                guard let value = OptionValue(json: element) else { return nil }
                values.append(value)
            }
            self = .list(values)
        case let number as NSNumber:
            // JSON's true and false arrive as numbers with C's char type.
            self = String(cString: number.objCType) == "c" ? .flag(number.boolValue) : .number(number.doubleValue)
        default: return nil
        }
    }

    /// A value as a user types it, e.g. `0.9`, `true`, `None`; anything else is text.
    public init(typed text: String) {
        switch text {
        case "true", "True": self = .flag(true)
        case "false", "False": self = .flag(false)
        case "none", "None": self = .none
        default: self = Double(text).map(OptionValue.number) ?? .text(text)
        }
    }
}

extension OptionValue: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByStringLiteral, ExpressibleByArrayLiteral
{
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(integerLiteral value: Int) { self = .number(Double(value)) }
    public init(booleanLiteral value: Bool) { self = .flag(value) }
    public init(stringLiteral value: String) { self = .text(value) }
    public init(arrayLiteral elements: OptionValue...) { self = .list(elements) }
}

/// Options by MXNet's names, read one by one. Options that are left unread are unknown, and never silently ignored.
public struct NamedOptions: Sendable, ExpressibleByDictionaryLiteral {
    /// The owner of the options, for errors, e.g. `optimizer sgd`.
    public var place: String
    private let values: [String: OptionValue]
    private var used: Set<String> = []

    public init(_ values: [String: OptionValue], of place: String = "options") {
        self.values = values
        self.place = place
    }

    public init(dictionaryLiteral elements: (String, OptionValue)...) {
        self.init(Dictionary(elements, uniquingKeysWith: { $1 }))
    }

    /// An object from `JSONSerialization`.
    public init(json: [String: Any], of place: String = "options") throws {
        var values: [String: OptionValue] = [:]
        for (name, value) in json {
            guard let value = OptionValue(json: value) else { throw AnnealError("\(place), \(name)", "is an object") }
            values[name] = value
        }
        self.init(values, of: place)
    }

    public func contains(_ name: String) -> Bool { values[name] != nil }

    public mutating func value(_ name: String) -> OptionValue? {
        used.insert(name)
        return values[name]
    }

    public mutating func optionalNumber(_ name: String) throws -> Double? {
        switch value(name) {
        case nil, .some(.none): return nil
        case .number(let number): return number
        case .flag(let flag): return flag ? 1 : 0
        case .some(let other): throw bad(name, other, "a number")
        }
    }

    public mutating func number(_ name: String, _ standard: Double) throws -> Double {
        try optionalNumber(name) ?? standard
    }

    public mutating func number(_ name: String) throws -> Double {
        guard let number = try optionalNumber(name) else {
            throw AnnealError("\(place), \(name)", "is missing", suggestion: "give a number")
        }
        return number
    }

    public mutating func integer(_ name: String, _ standard: Int) throws -> Int {
        guard let number = try optionalNumber(name) else { return standard }
        guard let integer = Int(exactly: number) else { throw bad(name, .number(number), "a whole number") }
        return integer
    }

    public mutating func flag(_ name: String, _ standard: Bool) throws -> Bool {
        switch value(name) {
        case nil, .some(.none): return standard
        case .flag(let flag): return flag
        case .number(let number): return number != 0
        case .some(let other): throw bad(name, other, "true or false")
        }
    }

    public mutating func text(_ name: String, _ standard: String) throws -> String {
        switch value(name) {
        case nil, .some(.none): return standard
        case .text(let text): return text
        case .some(let other): throw bad(name, other, "text")
        }
    }

    /// A text that must be one of `choices`.
    public mutating func choice<T: RawRepresentable & CaseIterable>(_ name: String, _ standard: T) throws -> T
    where T.RawValue == String {
        let text = try text(name, standard.rawValue)
        guard let choice = T(rawValue: text) else {
            throw bad(name, .text(text), T.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return choice
    }

    public mutating func integers(_ name: String) throws -> [Int] {
        let value = value(name) ?? .list([])
        guard case .list(let list) = value else { throw bad(name, value, "a list of whole numbers") }
        return try list.map {
            guard case .number(let number) = $0, let integer = Int(exactly: number) else {
                throw bad(name, value, "a list of whole numbers")
            }
            return integer
        }
    }

    /// Accepts an option that has no meaning here, e.g. `lazy_update`, which is about sparse arrays.
    public mutating func ignore(_ name: String) { used.insert(name) }

    /// The names that have not been read, sorted.
    public var unused: [String] { values.keys.filter { !used.contains($0) }.sorted() }

    /// Throws an error that names the options that have not been read.
    public func finish() throws {
        guard unused.isEmpty else {
            throw AnnealError(
                place, "has no option \(unused.joined(separator: ", "))",
                suggestion: "it takes \(used.sorted().joined(separator: ", "))")
        }
    }

    private func bad(_ name: String, _ found: OptionValue, _ wanted: String) -> AnnealError {
        let text =
            switch found {
            case .number(let number): "\(number)"
            case .flag(let flag): "\(flag)"
            case .text(let text): "'\(text)'"
            case .list: "a list"
            case .none: "None"
            }
        return AnnealError("\(place), \(name)", "is \(text)", suggestion: "give \(wanted)")
    }
}
