import AnnealCore
import Foundation

/// A `.lst` file: `id<TAB>label..<TAB>path` lines, as `im2rec` writes and reads them.
public struct ImageList: Sendable, Equatable {
    /// A line of the list.
    public struct Item: Sendable, Equatable {
        public var id: Int
        public var labels: [Float]
        /// Relative to the list's root folder.
        public var path: String

        public init(id: Int, labels: [Float], path: String) {
            self.id = id
            self.labels = labels
            self.path = path
        }
    }

    public var items: [Item]

    public init(_ items: [Item]) { self.items = items }

    /// - Throws: `AnnealError` naming the line with a bad id, label or too few fields.
    public init(file path: String) throws {
        items = []
        // Paths are bytes: those that are not UTF-8 are kept as `FilePath.text` writes them.
        var bytes = [UInt8](try Files.read(path))[...]
        if bytes.starts(with: "\u{FEFF}".utf8) { bytes = bytes.dropFirst(3) }
        for (number, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        {
            var text = FilePath(bytes: line).text[...]
            if text.last == "\r" { text.removeLast() }
            if text.allSatisfy(\.isWhitespace) { continue }
            let fields = text.split(separator: "\t", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            let place = "\(path), line \(number + 1)"
            guard fields.count >= 3, let image = fields.last, !image.isEmpty else {
                throw AnnealError(
                    place, "expected an id, labels and a path with tabs between, found \"\(text.prefix(80))\"",
                    code: .damaged)
            }
            guard let id = Int(fields[0]) else {
                throw AnnealError(place, "\"\(fields[0])\" is not an id", code: .damaged)
            }
            let labels = try fields[1..<(fields.count - 1)].map { field in
                guard let label = Float(field), label.isFinite else {
                    throw AnnealError(
                        place, "\"\(field)\" is not a label", suggestion: "a label is a number", code: .damaged)
                }
                return label
            }
            items.append(Item(id: id, labels: labels, path: image))
        }
    }

    /// The file's lines; labels with six decimals, as C's %f.
    public var lines: [String] {
        items.map { item in
            let labels = item.labels.map { String(format: "%f", Double($0)) }
            return ([String(item.id)] + labels + [item.path]).joined(separator: "\t")
        }
    }

    /// Writes the list to a file, atomically.
    public func write(to path: String) throws {
        try Files.writeAtomically(Data(lines.flatMap { FilePath($0 + "\n").bytes }), to: path)
    }
}
