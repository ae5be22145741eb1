import AnnealCore
import Foundation

/// The names of a network's classes, by label.
public enum ClassNames {
    /// Reads a file with one name per line, in the order of the labels, e.g. MXNet's `synset.txt`: whole lines are
    /// names.
    public static func read(_ path: String) throws -> [String] {
        let text = try Files.readText(path)
        var names = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }
        while names.last?.isEmpty == true { names.removeLast() }
        guard !names.isEmpty else {
            throw AnnealError(path, "has no names", suggestion: "write one class name on each line")
        }
        if let gap = names.firstIndex(of: "") {
            throw AnnealError("\(path), line \(gap + 1)", "is empty", suggestion: "line N is the name of class N - 1")
        }
        return names
    }

    /// Labels by possible folder names: the class's name, the WordNet id alone for `n01440764 tench, Tinca tinca`, and
    /// if all names are numbers, a number with more or fewer leading zeros.
    struct Table {
        private let labels: [String: Int]
        private let isNumbered: Bool

        /// Names that two classes share (ImageNet has two cranes) are left out.
        init(_ names: [String]) {
            isNumbered = names.allSatisfy { WholeNumber($0) != nil }
            var labels: [String: Int] = [:]
            var ambiguous: Set<String> = []
            for (label, name) in names.enumerated() {
                let number = isNumbered ? WholeNumber(name)?.digits : nil
                for key in Set([name, number ?? synset(name) ?? name]) {
                    if labels.updateValue(label, forKey: key) != nil { ambiguous.insert(key) }
                }
            }
            self.labels = labels.filter { !ambiguous.contains($0.key) }
        }

        func label(of folder: String) -> Int? {
            labels[folder] ?? (isNumbered ? WholeNumber(folder).flatMap { labels[$0.digits] } : nil)
        }
    }

    private static func synset(_ name: String) -> String? {
        guard let word = name.split(separator: " ").first, word.count == 9, word.count < name.count,
            word.first == "n", word.dropFirst().allSatisfy({ ("0"..."9").contains($0) })
        else { return nil }
        return String(word)
    }

    /// `cat, dog, …`
    static func summary(_ names: [String]) -> String {
        (names.prefix(8) + (names.count > 8 ? ["…"] : [])).joined(separator: ", ")
    }
}
