import AnnealCore
import Foundation

extension ImageList {
    /// `im2rec`'s suffixes.
    public static let imageSuffixes = [".jpeg", ".jpg", ".png"]

    /// The images of a folder as `im2rec --list` finds them: a folder's files in byte order of their names, then its
    /// sub-folders; ids count up.
    /// - Parameters:
    ///   - recursive: each folder with images is a class, numbered in the order of the walk; else only the folder's own
    ///     files, all with label 0.
    ///   - suffixes: in lower case, with the dot.
    /// - Returns: the list, and the folders (relative to the root) by label.
    /// - Throws: `AnnealError` when a folder cannot be read.
    public static func scan(
        _ root: String, recursive: Bool = true, suffixes: [String] = imageSuffixes
    ) throws -> (list: ImageList, classes: [String]) {
        var list = ImageList([])
        var classes: [String] = []
        var open: Set<FilePath> = []

        func walk(_ folder: String, _ relative: String) throws {
            // Links are followed, but not in circles.
            let real = FilePath(Files.realPath(folder) ?? folder)
            guard open.insert(real).inserted else { return }
            defer { open.remove(real) }
            var folders: [String] = []
            var label: Int?
            for name in try Files.names(in: folder) {
                guard Files.exists("\(folder)/\(name)") else { continue }
                if Files.isFolder("\(folder)/\(name)") {
                    folders.append(name)
                } else if suffixes.contains(suffix(of: name)) {
                    if label == nil {
                        label = recursive ? classes.count : 0
                        classes.append(relative.isEmpty ? "." : relative)
                    }
                    list.items.append(
                        Item(
                            id: list.items.count, labels: [Float(label ?? 0)],
                            path: relative.isEmpty ? name : "\(relative)/\(name)"))
                }
            }
            guard recursive else { return }
            for name in folders { try walk("\(folder)/\(name)", relative.isEmpty ? name : "\(relative)/\(name)") }
        }
        try walk(root, "")
        return (list, classes)
    }

    /// `.jpg` for `a.JPG`; empty for `.jpg` itself.
    private static func suffix(of name: String) -> String {
        let stem = name.drop { $0 == "." }
        guard let dot = stem.lastIndex(of: ".") else { return "" }
        return stem[dot...].lowercased()
    }

    /// Shuffled in the same order as by `im2rec`: Python's `random.seed(100); random.shuffle(list)`.
    public func shuffledAsIm2rec() -> ImageList {
        var random = PythonRandom(seed: 100)
        var items = items
        for i in stride(from: items.count - 1, to: 0, by: -1) { items.swapAt(i, random.below(i + 1)) }
        return ImageList(items)
    }

    /// `im2rec`'s `--chunks`, `--train-ratio` and `--test-ratio`: the lists with the suffixes of their names, e.g.
    /// `_train`.
    public func split(chunks: Int = 1, trainRatio: Double = 1, testRatio: Double = 0) -> [(
        suffix: String, list: ImageList
    )] {
        precondition(chunks > 0 && trainRatio >= 0 && testRatio >= 0)
        let size = (items.count + chunks - 1) / chunks
        var lists: [(String, ImageList)] = []
        for chunk in 0..<chunks {
            let part = items[min(items.count, chunk * size)..<min(items.count, (chunk + 1) * size)]
            let name = chunks > 1 ? "_\(chunk)" : ""
            if trainRatio == 1 {
                lists.append((name, ImageList(Array(part))))
                continue
            }
            let test = Int(Double(size) * testRatio)
            let train = Int(Double(size) * trainRatio)
            if testRatio > 0 { lists.append((name + "_test", ImageList(Array(part.prefix(test))))) }
            if trainRatio + testRatio < 1 {
                lists.append((name + "_val", ImageList(Array(part.dropFirst(test + train)))))
            }
            lists.append((name + "_train", ImageList(Array(part.dropFirst(test).prefix(train)))))
        }
        return lists
    }
}
