import Foundation

extension ImportedModel.ImageRecord {
    /// What exporters write into a model's metadata: class names as JSON (Anneal's own `class_names`) or as the text of
    /// a Python dictionary (`names`).
    init(metadata: [(key: String, value: String)]) {
        for (key, value) in metadata {
            switch key {
            case "class_names", "classes", "labels": classNames = classNames ?? Self.list(value)
            case "names": classNames = classNames ?? Self.list(value) ?? Self.pythonDictionary(value)
            case "mean": mean = Self.numbers(value)
            case "std": std = Self.numbers(value)
            default: break
            }
        }
    }

    private static func list(_ text: String) -> [String]? {
        (try? JSONDecoder().decode([String].self, from: Data(text.utf8))).flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func numbers(_ text: String) -> [Float]? {
        (try? JSONDecoder().decode([Float].self, from: Data(text.utf8))).flatMap { numbers in
            numbers.isEmpty || !numbers.allSatisfy(\.isFinite) ? nil : numbers
        }
    }

    /// Parses `{0: 'cat', 1: 'dog'}`; nil unless the keys are 0, 1, and so on.
    private static func pythonDictionary(_ text: String) -> [String]? {
        let entries = text.matches(of: /(\d+): (?:'([^']*)'|"([^"]*)")/)
        let names = entries.map { String($0.output.2 ?? $0.output.3 ?? "") }
        guard !names.isEmpty, entries.enumerated().allSatisfy({ Int($0.element.output.1) == $0.offset }) else {
            return nil
        }
        return names
    }
}
