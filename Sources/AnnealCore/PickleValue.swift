import Foundation

/// A value of a pickle. Lists, tuples, dictionaries and objects are indices into `PickleReader`'s arrays, so that
/// cycles and deep nesting are harmless.
package enum PickleValue {
    case none
    case bool(Bool)
    case integer(Int)
    case float(Double)
    case text(String)
    case bytes(Data)
    /// A class or function by its name, `module name`. It is never loaded.
    case global(String)
    case tuple(Int)
    case list(Int)
    case dictionary(Int)
    case object(Int)
}

/// An object as a pickle describes it: its constructor, the arguments, and its state.
package struct PickleObject {
    package var maker: String
    package var arguments: [PickleValue]
    package var state: PickleValue?
}

/// The names that pickles of one kind may use in addition to Python's own containers, each as `module name`.
package struct PickleVocabulary: Sendable {
    /// Functions and classes that represent data.
    let makers: Set<String>
    /// Names that are only mentioned, such as element types.
    let names: Set<String>
    /// What such a pickle holds, in the plural, and how to get one: for error messages.
    package let content: String
    package let suggestion: String

    package init(makers: Set<String>, names: Set<String> = [], content: String, suggestion: String) {
        (self.makers, self.names, self.content, self.suggestion) = (makers, names, content, suggestion)
    }
}

extension PickleReader {
    /// A text, or a Python 2 string.
    package func text(_ value: PickleValue) -> String? {
        switch value {
        case .text(let text): text
        case .bytes(let bytes): String(data: bytes, encoding: .utf8)
        default: nil
        }
    }

    /// The elements of a list or tuple.
    package func elements(_ value: PickleValue) -> [PickleValue]? {
        switch value {
        case .list(let index): lists[index]
        case .tuple(let index): tuples[index]
        default: nil
        }
    }

    /// The elements of a list or tuple if all of them are integers.
    package func integers(_ value: PickleValue) -> [Int]? {
        guard let elements = elements(value) else { return nil }
        let numbers = elements.compactMap { if case .integer(let number) = $0 { number } else { nil } }
        return numbers.count == elements.count ? numbers : nil
    }

    /// A dictionary's value; nil if the key is missing or this is not a dictionary.
    package func value(_ key: String, of dictionary: PickleValue) -> PickleValue? {
        guard case .dictionary(let index) = dictionary else { return nil }
        return dictionaries[index].first { text($0.key) == key }?.value
    }
}
