import AnnealCore
import Foundation

/// Writes the images of records to files, byte for byte: the reverse of packing.
public struct ImageExport: Sendable {
    /// By label; a label without a name gets a folder named by its number.
    public var classNames: [String]?
    /// Writes all images to one folder instead of one for each class.
    public var isFlat = false
    public var threads = LoaderOptions.defaultThreads

    public init() {}

    /// - Parameters:
    ///   - numbers: the samples; all if nil.
    ///   - folder: receives the class folders and, if `list` is given, nothing else.
    ///   - list: a `.lst` file that names the files with their ids and labels: `im2rec --pass-through` packs the same
    ///     records from it.
    /// - Returns: the number of files written.
    /// - Throws: `AnnealError` for a sample that cannot be read, and for a file that already exists.
    public func write(
        _ source: any SampleSource, _ numbers: [Int]? = nil, to folder: String, list: String? = nil,
        progress: (Int) -> Void = { _ in }
    ) throws -> Int {
        let numbers = numbers ?? Array(0..<source.count)
        try Files.makeFolder(folder)
        let names = FolderNames(classNames)
        var items: [ImageList.Item] = [], made = Set<String>(), taken = Set<String>()
        for start in stride(from: 0, to: numbers.count, by: 512) {
            let round = numbers[start..<min(numbers.count, start + 512)]
            let samples = try parallelMap(round.count, threads: threads) { index in
                try Self.read(round[start + index], of: source)
            }
            for sample in samples {
                let part = isFlat ? "" : names[sample.labels.first ?? 0]
                if !part.isEmpty, made.insert(part).inserted { try Files.makeFolder(Files.path(folder, part)) }
                var name = Files.path(part, "\(sample.name).\(sample.suffix)")
                // Several records may have the same id.
                var copy = 1
                while !taken.insert(name).inserted {
                    name = Files.path(part, "\(sample.name)-\(copy).\(sample.suffix)")
                    copy += 1
                }
                let path = Files.path(folder, name)
                guard !Files.exists(path) else {
                    throw AnnealError(
                        path, "already exists", suggestion: "export into a new folder", code: .ioFailure)
                }
                try Files.writeAtomically(Data(sample.image), to: path)
                items.append(.init(id: sample.id, labels: sample.labels, path: name))
            }
            progress(items.count)
        }
        if let list { try ImageList(items).write(to: list) }
        return items.count
    }

    private struct Sample: Sendable {
        var id: Int
        /// The record file's name without its suffix.
        var name: String
        var suffix: String
        var labels: [Float]
        var image: [UInt8]
    }

    private static func read(_ number: Int, of source: any SampleSource) throws -> Sample {
        var payload: [UInt8] = []
        let header = try source.readSample(number, epoch: 0, into: &payload)
        let image = Array(payload[header.imageStart...])
        let suffix =
            switch ImageFormat(image) {
            case .jpeg: "jpg"
            case .tiff: "tif"
            case .heif: "heic"
            case .jpegXL: "jxl"
            case .jpeg2000: "jp2"
            case let format?: format.rawValue.lowercased()
            case nil: "bin"
            }
        let id = Int(truncatingIfNeeded: header.id)
        // Seven digits keep most data sets in order.
        return Sample(
            id: id, name: id >= 0 ? String(format: "%07d", id) : "\(id)", suffix: suffix, labels: header.labels,
            image: image)
    }

    /// The names of the class folders: class names made valid as folder names, and unique.
    private struct FolderNames {
        private let names: [String]

        init(_ classNames: [String]?) {
            var taken = Set<String>()
            names = (classNames ?? []).enumerated().map { label, name in
                // A known `a/b` is the folder b of the class a.
                let parts = name.split(separator: "/").map { part in
                    String(part.map { $0.isNewline || $0 == "\0" ? "_" : $0 })
                }.filter { $0 != "." && $0 != ".." }
                let folder = parts.joined(separator: "/")
                let isFit = !folder.isEmpty && !folder.hasPrefix(".") && taken.insert(folder).inserted
                return isFit ? folder : "class-\(label)"
            }
        }

        subscript(_ label: Float) -> String {
            let number = label >= 0 && label < Float(names.count) ? Int(label) : -1
            if number >= 0, Float(number) == label { return names[number] }
            return Int(exactly: label).map(String.init) ?? "\(label)"
        }
    }
}
