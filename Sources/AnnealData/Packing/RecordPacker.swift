import AnnealCore
import Foundation

/// Packs image files into `PREFIX.rec` and `PREFIX.idx` as MXNet's `im2rec.py` does; its options and defaults.
public struct RecordPacker: Sendable {
    /// Copies the files' bytes instead of decoding and encoding (`--pass-through`).
    public var passThrough = false
    /// The shorter side becomes this long; 0: left (`--resize`).
    public var resize = 0
    /// The middle square first (`--center-crop`).
    public var centerCrop = false
    /// `--color`: 1 RGB, 0 gray, -1 as stored.
    public var channels = Image.Channels.rgb
    /// `--encoding` and `--quality`.
    public var encoding = ImageEncoding.jpeg(quality: 95)
    /// All labels of a list line instead of the first (`--pack-label`).
    public var packLabel = false
    public var threads = LoaderOptions.defaultThreads
    /// A file that cannot be read or decoded ends the packing, or is left out and listed.
    public var onBadImage = BadRecordPolicy.abort

    public init() {}

    public struct Summary: Sendable, Equatable {
        /// Records written.
        public var count = 0
        /// What was left out, and why.
        public var skipped: [AnnealError] = []
    }

    /// - Parameters:
    ///   - root: the folder that the list's paths start from.
    ///   - progress: called with the number of items done.
    /// - Throws: `AnnealError` naming the file that cannot be read, decoded or written, or two that have one id; no record
    ///   file remains then.
    public func pack(
        _ list: ImageList, root: String, to prefix: String, progress: (Int) -> Void = { _ in }
    ) throws -> Summary {
        try checkIDs(list, indexPath: "\(prefix).idx")
        let writer = try RecordWriter("\(prefix).rec", index: "\(prefix).idx")
        var summary = Summary()
        let chunk = 16 * max(1, threads)
        for start in stride(from: 0, to: list.items.count, by: chunk) {
            let items = list.items[start..<min(list.items.count, start + chunk)]
            let records = try parallelMap(items.count, threads: threads) { offset in
                try outcome(of: items[items.startIndex + offset], root)
            }
            for (item, record) in zip(items, records) {
                switch record {
                case .success(let payload):
                    try writer.write(payload, key: item.id)
                    summary.count += 1
                case .failure(let reason):
                    summary.skipped.append(reason)
                }
            }
            progress(start + items.count)
        }
        try writer.finish()
        return summary
    }

    /// Ids are the index's keys; MXNet's reader would lose all records of one but the last.
    private func checkIDs(_ list: ImageList, indexPath: String) throws {
        var paths: [Int: String] = [:]
        for item in list.items {
            guard let other = paths.updateValue(item.path, forKey: item.id) else { continue }
            throw AnnealError(
                indexPath, "two images would have the key \(item.id): \(other) and \(item.path)",
                suggestion: "give every line of the list an id of its own")
        }
    }

    private func outcome(of item: ImageList.Item, _ root: String) throws -> Result<[UInt8], AnnealError> {
        do {
            return .success(try record(of: item, root))
        } catch let error as AnnealError where onBadImage == .skip {
            return .failure(error)
        }
    }

    private func record(of item: ImageList.Item, _ root: String) throws -> [UInt8] {
        let path = root.isEmpty || item.path.hasPrefix("/") ? item.path : "\(root)/\(item.path)"
        let bytes = [UInt8](try Files.read(path))
        let id = UInt64(bitPattern: Int64(item.id))
        let header =
            packLabel && item.labels.count > 1
            ? IRHeader(labels: item.labels, id: id) : IRHeader(label: item.labels.first ?? 0, id: id)
        if passThrough { return header.packed(bytes) }
        do {
            var image = try ImageDecoder().decode(bytes, as: channels)
            // im2rec's reader turns photographs upright, except when they are taken as they are stored.
            if channels != .asStored { image = image.turned(by: ExifOrientation.of(bytes)) }
            if centerCrop {
                let side = min(image.width, image.height)
                image = image.cropped(
                    x: (image.width - side) / 2, y: (image.height - side) / 2, width: side, height: side)
            }
            if resize > 0 {
                let long = resize.multipliedReportingOverflow(by: max(image.width, image.height))
                guard !long.overflow, resize <= 1 << 16, long.partialValue / min(image.width, image.height) <= 1 << 20
                else {
                    throw AnnealError("", "\(image.width) x \(image.height) cannot be resized to \(resize)")
                }
                try Image.checkSize(resize, long.partialValue / min(image.width, image.height))
                image = image.resizedShortSide(to: resize)
            }
            if case .jpeg = encoding, image.channels == 4 { image = image.withoutAlpha() }
            return header.packed(try image.encoded(as: encoding))
        } catch let error as AnnealError where error.place.isEmpty {
            throw error.within(path)
        }
    }
}

extension Image {
    /// RGB of RGBA, the colours as they are.
    func withoutAlpha() -> Image {
        guard channels == 4 else { return self }
        var out: [UInt8] = []
        out.reserveCapacity(width * height * 3)
        for start in stride(from: 0, to: pixels.count, by: 4) { out.append(contentsOf: pixels[start..<(start + 3)]) }
        return Image(width: width, height: height, channels: 3, pixels: out)
    }
}
