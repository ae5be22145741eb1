import AnnealCore
import Foundation

/// The names of a network's classes, by label.
public enum ClassNames {
    /// Reads a file with a name a line, in the order of the labels, e.g. MXNet's `synset.txt`: whole lines are names.
    public static func read(_ path: String) throws -> [String] {
        let text = try Files.readText(path)
        var names = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }
        while names.last?.isEmpty == true { names.removeLast() }
        guard !names.isEmpty else {
            throw AnnealError(path, "has no names", suggestion: "write a class's name on each line")
        }
        if let gap = names.firstIndex(of: "") {
            throw AnnealError("\(path), line \(gap + 1)", "is empty", suggestion: "line N is the name of class N - 1")
        }
        return names
    }

    /// Labels by what a folder may be called: a class's name, or for `n01440764 tench, Tinca tinca` the WordNet id alone.
    ///
    /// What two classes share (ImageNet has two cranes) is left out.
    static func labels(_ names: [String]) -> [String: Int] {
        var table: [String: Int] = [:]
        var ambiguous: Set<String> = []
        for (label, name) in names.enumerated() {
            for key in [name, synset(name)].compactMap({ $0 }) {
                if table.updateValue(label, forKey: key) != nil { ambiguous.insert(key) }
            }
        }
        return table.filter { !ambiguous.contains($0.key) }
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
