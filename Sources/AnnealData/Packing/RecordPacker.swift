import AnnealCore
import Foundation

/// Packs image files into `PREFIX.rec` and `PREFIX.idx` as MXNet's `im2rec.py` does, with its options and defaults.
public struct RecordPacker: Sendable {
    /// Copies the files' bytes instead of decoding and encoding (`--pass-through`).
    public var passThrough = false
    /// Copies JPEG and PNG files that need no change: no resizing is requested, and they are upright.
    public var copiesUpright = false
    /// The shorter side is resized to this length; 0: no resizing (`--resize`).
    public var resize = 0
    /// Crops the centre square first (`--center-crop`).
    public var centerCrop = false
    /// `--color`: 1 RGB, 0 gray, -1 as stored.
    public var channels = Image.Channels.rgb
    /// `--encoding` and `--quality`.
    public var encoding = ImageEncoding.jpeg(quality: 95)
    /// All labels of a list line instead of only the first (`--pack-label`).
    public var packLabel = false
    public var threads = LoaderOptions.defaultThreads
    /// Whether an unreadable file ends the packing, or is left out and listed.
    public var onBadImage = BadRecordPolicy.abort
    /// Larger images are refused before memory is allocated for them.
    public var maximumPixels = Image.maximumPixels
    /// The output of a packing that was killed or failed is kept, as `PREFIX.rec.packing` with a journal, and packing
    /// the same list with the same options continues it; the result has the same bytes.
    public var isResumable = false
    /// Seconds between the points from which a killed packing can be continued.
    package var secondsBetweenMarks = 5.0

    public init() {}

    /// The result of packing a list.
    public struct Summary: Sendable, Equatable {
        /// Records written.
        public var count = 0
        /// What was left out, and why.
        public var skipped: [AnnealError] = []
        /// Items of the list that an earlier packing had already done.
        public var continued = 0

        public init() {}
    }

    /// - Parameters:
    ///   - root: the base folder of the list's paths.
    ///   - progress: called with the number of items done.
    ///   - report: called with each image that is left out, in order.
    /// - Throws: `AnnealError` naming the file that cannot be read, decoded or written, one that would be overwritten,
    ///   or two with the same id; no record file remains then.
    public func pack(
        _ list: ImageList, root: String, to prefix: String, progress: (Int) -> Void = { _ in },
        report: (AnnealError) -> Void = { _ in }
    ) throws -> Summary {
        try checkIDs(list, indexPath: "\(prefix).idx")
        try checkTargets(list, root, prefix)
        var run = try PackingRun(list, self, root: root, prefix: prefix)
        var summary = Summary()
        summary.continued = run.start
        summary.skipped = run.skipped.map(\.reason)
        progress(run.start)
        let chunk = 64 * max(1, threads)
        for start in stride(from: run.start, to: list.items.count, by: chunk) {
            let items = list.items[start..<min(list.items.count, start + chunk)]
            let records: [Result<[UInt8], AnnealError>]
            do {
                records = try parallelMap(items.count, threads: threads) { offset in
                    try outcome(of: items[items.startIndex + offset], root)
                }
            } catch {
                // Once the image is repaired, the packing continues from here.
                try? run.mark(items: start)
                throw error
            }
            for (offset, record) in records.enumerated() {
                switch record {
                case .success(let payload): try run.writer.write(payload, key: items[start + offset].id)
                case .failure(let reason):
                    run.skipped.append((start + offset, reason))
                    summary.skipped.append(reason)
                    report(reason)
                }
            }
            try run.markIfDue(items: start + items.count)
            progress(start + items.count)
        }
        try run.finish()
        summary.count = run.writer.count
        return summary
    }

    /// Ids are the index's keys; MXNet's reader would lose all records with the same key but the last.
    private func checkIDs(_ list: ImageList, indexPath: String) throws {
        var paths: [Int: String] = [:]
        for item in list.items {
            guard let other = paths.updateValue(item.path, forKey: item.id) else { continue }
            throw AnnealError(
                indexPath, "two images would have the key \(item.id): \(other) and \(item.path)",
                suggestion: "give every line of the list its own id")
        }
    }

    /// Refuses a list that names files that are about to be written.
    private func checkTargets(_ list: ImageList, _ root: String, _ prefix: String) throws {
        let targets = ["\(prefix).rec", "\(prefix).idx"]
        let names = Set(targets.map { Files.name(of: $0) })
        for item in list.items where names.contains(Files.name(of: item.path)) {
            let path = Self.path(of: item, root)
            guard let real = Files.realPath(path), targets.contains(where: { Files.realPath($0) == real }) else {
                continue
            }
            throw AnnealError(
                path, "is one of the images and would be overwritten",
                suggestion: "choose another prefix, or remove it from the list")
        }
    }

    private func outcome(of item: ImageList.Item, _ root: String) throws -> Result<[UInt8], AnnealError> {
        do {
            return .success(try record(of: item, root))
        } catch let error as AnnealError where onBadImage == .skip {
            return .failure(error)
        }
    }

    private static func path(of item: ImageList.Item, _ root: String) -> String {
        root.isEmpty || item.path.hasPrefix("/") ? item.path : Files.path(root, item.path)
    }

    private func record(of item: ImageList.Item, _ root: String) throws -> [UInt8] {
        let path = Self.path(of: item, root)
        let bytes = [UInt8](try Files.read(path))
        let id = UInt64(bitPattern: Int64(item.id))
        let header =
            packLabel && item.labels.count > 1
            ? IRHeader(labels: item.labels, id: id) : IRHeader(label: item.labels.first ?? 0, id: id)
        if passThrough { return header.packed(bytes) }
        do {
            if copiesUpright, resize == 0, !centerCrop, channels == .rgb, ImageFormat(bytes)?.isRecordFormat ?? false,
                ExifOrientation.of(bytes) == 1
            {
                // Only files that can be read are packed.
                _ = try ImageDecoder(maximumPixels: maximumPixels).decode(bytes)
                return header.packed(bytes)
            }
            return header.packed(try prepared(bytes).encoded(as: encoding))
        } catch let error as AnnealError where error.place.isEmpty {
            throw error.within(path)
        }
    }

    private func prepared(_ bytes: [UInt8]) throws -> Image {
        var image = try ImageDecoder(maximumPixels: maximumPixels).decode(bytes, as: channels)
        // im2rec's reader rotates photographs upright, unless they are stored unchanged.
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
            try Image.checkSize(resize, long.partialValue / min(image.width, image.height), maximumPixels)
            image = image.resizedShortSide(to: resize)
        }
        if case .jpeg = encoding, image.channels == 4 { image = image.withoutAlpha() }
        return image
    }

    /// What determines the bytes of the records, apart from the images.
    package func fingerprint(_ list: ImageList, root: String) -> String {
        let options =
            "\(passThrough) \(copiesUpright) \(resize) \(centerCrop) \(channels) \(encoding) \(packLabel) \(onBadImage) \(maximumPixels)"
        var hash = SHA256()
        for line in [options, Files.realPath(root) ?? root] + list.lines {
            Array((line + "\n").utf8).withUnsafeBytes { hash.update($0) }
        }
        return hash.finish()
    }
}

extension Image {
    /// Drops the alpha channel; the colours are unchanged.
    func withoutAlpha() -> Image {
        guard channels == 4 else { return self }
        var out: [UInt8] = []
        out.reserveCapacity(width * height * 3)
        for start in stride(from: 0, to: pixels.count, by: 4) { out.append(contentsOf: pixels[start..<(start + 3)]) }
        return Image(width: width, height: height, channels: 3, pixels: out)
    }
}
