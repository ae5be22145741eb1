import AnnealCore
import Foundation

/// CIFAR-10 and CIFAR-100 (Krizhevsky 2009) from the published archives: the binary version or the Python version, as a
/// `.tar.gz` or the extracted folder.
public struct CIFARDataset: Sendable {
    /// Which of the CIFAR data sets, and for CIFAR-100 which labels.
    public enum Kind: String, Sendable, CaseIterable {
        case cifar10
        case cifar100
        /// CIFAR-100's 20 superclasses.
        case cifar100Coarse

        /// Bytes before an image in the binary version: the label, for CIFAR-100 the superclass and the class.
        fileprivate var labelBytes: Int { self == .cifar10 ? 1 : 2 }
        fileprivate var labelPlace: Int { self == .cifar100 ? 1 : 0 }
        public var classes: Int { self == .cifar10 ? 10 : self == .cifar100 ? 100 : 20 }
        fileprivate var trainingFiles: [String] {
            self == .cifar10 ? (1...5).map { "data_batch_\($0)" } : ["train"]
        }
        fileprivate var validationFiles: [String] { [self == .cifar10 ? "test_batch" : "test"] }
        fileprivate var namesFile: String {
            switch self {
            case .cifar10: "batches.meta.txt"
            case .cifar100: "fine_label_names.txt"
            case .cifar100Coarse: "coarse_label_names.txt"
            }
        }
        fileprivate var metaFile: String { self == .cifar10 ? "batches.meta" : "meta" }
        var labelsKey: String {
            switch self {
            case .cifar10: "labels"
            case .cifar100: "fine_labels"
            case .cifar100Coarse: "coarse_labels"
            }
        }
        var namesKey: String {
            switch self {
            case .cifar10: "label_names"
            case .cifar100: "fine_label_names"
            case .cifar100Coarse: "coarse_label_names"
            }
        }
    }

    /// Images of 32 x 32 pixels.
    public struct Part: LabelledImages {
        /// (count, 3, 32, 32), planes R, G, B
        fileprivate var planes: [[UInt8]] = []
        fileprivate var labels: [UInt8] = []
        fileprivate let name: String

        public var count: Int { labels.count }
        public func label(_ index: Int) -> Int { Int(labels[index]) }
        public func name(_ index: Int) -> String { "\(name)/\(index)" }

        public func image(_ index: Int) -> Image {
            let size = CIFARDataset.area, file = index / CIFARDataset.imagesOfPlanes
            let start = (index % CIFARDataset.imagesOfPlanes) * 3 * size
            var pixels = [UInt8](repeating: 0, count: 3 * size)
            for i in 0..<size { for c in 0..<3 { pixels[3 * i + c] = planes[file][start + c * size + i] } }
            return Image(width: CIFARDataset.side, height: CIFARDataset.side, channels: 3, pixels: pixels)
        }
    }

    public let training: Part
    public let validation: Part
    public let classNames: [String]
    fileprivate static let side = 32
    static let area = side * side
    /// Images per array in `Part.planes`; the last may have fewer.
    fileprivate static let imagesOfPlanes = 10_000
    private static let planeBytes = imagesOfPlanes * 3 * area

    /// - Parameter source: an archive or a folder.
    /// - Throws: `AnnealError` naming the file that is missing, damaged or not of this set.
    public init(_ kind: Kind, _ source: String) throws {
        let wanted = kind.trainingFiles + kind.validationFiles
        let names = wanted.flatMap { [$0, "\($0).bin"] } + [kind.namesFile, kind.metaFile]
        let files = try Self.files(source, named: Set(names))
        func part(_ list: [String], _ name: String) throws -> Part {
            var part = Part(name: name)
            var pixels: [UInt8] = []
            for file in list {
                if let bytes = files["\(file).bin"] {
                    try Self.read(bytes, kind, "\(source), \(file).bin", &part.labels, &pixels)
                } else if let bytes = files[file] {
                    try Self.readPickle(bytes, kind, "\(source), \(file)", &part.labels, &pixels)
                } else {
                    throw AnnealError(
                        source, "has no \(file) or \(file).bin", suggestion: "is it the whole \(kind.rawValue)?",
                        code: .notFound)
                }
            }
            for start in stride(from: 0, to: pixels.count, by: Self.planeBytes) {
                part.planes.append(Array(pixels[start..<min(pixels.count, start + Self.planeBytes)]))
            }
            if let label = part.labels.max(), Int(label) >= kind.classes {
                throw AnnealError(source, "has the label \(label), but only \(kind.classes) classes", code: .damaged)
            }
            return part
        }
        training = try part(kind.trainingFiles, "train")
        validation = try part(kind.validationFiles, "test")
        classNames = try Self.classNames(kind, files, source)
    }

    /// The bytes of each file by name, in any folder of the archive.
    private static func files(_ source: String, named names: Set<String>) throws -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        let largest = 200 << 20
        if Files.isFolder(source) {
            let inner = try Files.names(in: source).filter {
                Files.isFolder(Files.path(source, $0)) && $0.hasPrefix("cifar-")
            }
            for folder in [source] + inner.map({ Files.path(source, $0) }) {
                for name in try Files.names(in: folder) where names.contains(name) && found[name] == nil {
                    found[name] = [UInt8](try Files.read(Files.path(folder, name)))
                }
            }
            return found
        }
        let archive = try TarReader(source)
        while let entry = try archive.next() {
            let name = Files.name(of: entry.name)
            if names.contains(name) { found[name] = try archive.contents(atMost: largest) }
        }
        return found
    }

    /// Records of labels and 3072 bytes.
    private static func read(
        _ bytes: [UInt8], _ kind: Kind, _ place: String, _ labels: inout [UInt8], _ pixels: inout [UInt8]
    ) throws {
        let record = kind.labelBytes + 3 * area
        guard !bytes.isEmpty, bytes.count % record == 0 else {
            throw AnnealError(
                place, "\(bytes.count) bytes are not a multiple of \(record), the size of an image of \(kind.rawValue)",
                code: .damaged)
        }
        for start in stride(from: 0, to: bytes.count, by: record) {
            labels.append(bytes[start + kind.labelPlace])
            pixels += bytes[(start + kind.labelBytes)..<(start + record)]
        }
    }

    private static func classNames(_ kind: Kind, _ files: [String: [UInt8]], _ source: String) throws -> [String] {
        var names: [String] = []
        if let text = files[kind.namesFile] {
            names = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
                .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        } else if let meta = files[kind.metaFile] {
            names = try pickledNames(meta, kind, "\(source), \(kind.metaFile)")
        }
        guard names.count == kind.classes else {
            throw AnnealError(
                source, "names \(names.count.counted("class")), expected \(kind.classes)",
                suggestion: "\(kind.namesFile) is part of it", code: .damaged)
        }
        return names
    }
}
