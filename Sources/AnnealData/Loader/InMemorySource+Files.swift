import AnnealCore
import Foundation

/// MXNet's small iterators: the data is read into memory. Unlike in MXNet, each sample comes exactly once per epoch.
extension InMemorySource {
    /// MXNet's `MNISTIter`: images and labels in the IDX format, plain or gzip-compressed; levels are divided by 256.
    /// - Parameter flat: rows of (height * width) instead of (1, height, width).
    /// - Throws: `AnnealError` naming the file that is missing or damaged.
    public convenience init(
        mnist images: String, labels: String, batchSize: Int, flat: Bool = false, shuffle: Bool = false,
        seed: UInt64 = 0
    ) throws {
        let set = try IDXDataset(images: images, labels: labels)
        let area = set.height * set.width
        try self.init(
            data: Tensor(
                flat ? [set.count, area] : [set.count, 1, set.height, set.width],
                set.pixels.map { Float($0) / 256 }),
            labels: Tensor([set.count], set.labels.map { Float($0) }), batchSize: batchSize,
            shuffle: shuffle, seed: seed)
    }

    /// MXNet's `CSVIter`: one sample per line, as comma-separated numbers.
    /// - Parameters:
    ///   - dataShape: of a sample.
    ///   - labels: a file with `labelWidth` numbers per line; nil: all labels are 0.
    /// - Throws: `AnnealError` naming the line with too many or too few fields, or with one that is not a number.
    public convenience init(
        csv data: String, dataShape: Shape, labels: String? = nil, labelWidth: Int = 1, batchSize: Int,
        shuffle: Bool = false, seed: UInt64 = 0
    ) throws {
        let values = try Self.numbers(in: data, perLine: dataShape.count)
        let count = dataShape.count > 0 ? values.count / dataShape.count : 0
        let labelValues =
            try labels.map { try Self.numbers(in: $0, perLine: labelWidth) }
            ?? Array(repeating: 0, count: count * labelWidth)
        guard labelValues.count == count * labelWidth else {
            throw AnnealError(
                labels ?? data, "has \(labelValues.count / max(1, labelWidth)) lines, but \(data) has \(count)",
                code: .mismatch)
        }
        try self.init(
            data: Tensor(Shape([count] + dataShape.dims), values),
            labels: Tensor(labelWidth == 1 ? [count] : [count, labelWidth], labelValues),
            batchSize: batchSize, shuffle: shuffle, seed: seed)
    }

    private static func numbers(in path: String, perLine: Int) throws -> [Float] {
        var values: [Float] = []
        for (index, line) in try Files.readText(path).split(whereSeparator: \.isNewline).enumerated() {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            if fields == [""] { continue }
            guard fields.count == perLine else {
                throw AnnealError(
                    "\(path), line \(index + 1)", "has \(fields.count.counted("number")), expected \(perLine)",
                    code: .damaged)
            }
            for field in fields {
                guard let value = Float(field) else {
                    throw AnnealError("\(path), line \(index + 1)", "\"\(field)\" is not a number", code: .damaged)
                }
                values.append(value)
            }
        }
        return values
    }
}

extension BatchLoader {
    /// MXNet's `ImageRecordIter` by the names of its own parameters, for scripts that were written for it.
    /// - Parameter parameters: e.g. `["path_imgrec": "train.rec", "data_shape": [3, 28, 28], "batch_size": 128, "rand_crop":
    ///   true]`: numbers, booleans, strings, arrays of numbers.
    /// - Throws: `AnnealError` naming a parameter that is missing or not supported, or one of the loader's own errors.
    public static func imageRecordIter(_ parameters: [String: Any]) throws -> BatchLoader {
        try ImageRecordIterParameters.loader(parameters, folder: ".")
    }
}
