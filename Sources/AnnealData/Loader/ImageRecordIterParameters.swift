import AnnealCore
import Foundation

/// MXNet's ImageRecordIter by its own parameter names: for cases and scripts that were written for it.
package enum ImageRecordIterParameters {
    /// Builds the loader that repeats the iterator.
    /// - Parameters:
    ///   - parameters: as decoded from JSON: numbers, booleans, strings, arrays.
    ///   - folder: what relative paths start from.
    /// - Throws: `AnnealError` naming a parameter that is not supported, besides the loader's own errors.
    package static func loader(_ parameters: [String: Any], folder: String) throws -> BatchLoader {
        var values = parameters
        func path(_ name: String) -> String? {
            (values.removeValue(forKey: name) as? String).map { $0.hasPrefix("/") ? $0 : "\(folder)/\($0)" }
        }
        func number(_ name: String) -> Double? { (values.removeValue(forKey: name) as? NSNumber)?.doubleValue }
        func flag(_ name: String) -> Bool? { number(name).map { $0 != 0 } }

        guard let records = path("path_imgrec") else { throw AnnealError("path_imgrec", "is missing") }
        guard let shape = values.removeValue(forKey: "data_shape") as? [Int], let batch = number("batch_size") else {
            throw AnnealError("data_shape, batch_size", "are missing")
        }
        var options = LoaderOptions(dataShape: Shape(shape), batchSize: Int(batch))
        let index = path("path_imgidx")
        if let list = path("path_imglist") { options.relabel(with: try ImageList(file: list)) }
        options.labelWidth = Int(number("label_width") ?? 1)
        options.shuffle = flag("shuffle") ?? false
        options.seed = UInt64(number("seed") ?? 0)
        options.lastBatch = flag("round_batch") ?? true ? .rollsOver : .filled
        options.numParts = Int(number("num_parts") ?? 1)
        options.partIndex = Int(number("part_index") ?? 0)
        if let threads = number("preprocess_threads") { options.threads = Int(threads) }

        // MXNet's -1 stands for "off".
        options.augmentation.resize = max(0, Int(number("resize") ?? 0))
        options.augmentation.pad = Int(number("pad") ?? 0)
        options.augmentation.fillValue = UInt8(clamping: Int(number("fill_value") ?? 255))
        options.augmentation.randomCrop = flag("rand_crop") ?? false
        options.augmentation.mirror = flag("mirror") ?? false
        options.augmentation.randomMirror = flag("rand_mirror") ?? false
        let smallest = Int(number("min_crop_size") ?? -1)
        let largest = Int(number("max_crop_size") ?? -1)
        if smallest > 0 || largest > 0 {
            guard smallest <= largest else { throw AnnealError("min_crop_size", "\(smallest) is more than \(largest)") }
            options.augmentation.cropSize = max(1, smallest)...largest
        }
        if let method = number("inter_method") {
            guard let interpolation = Interpolation(rawValue: Int(method)) else {
                throw AnnealError("inter_method", "\(Int(method)) is not supported")
            }
            options.augmentation.interpolation = interpolation
        }

        let channels = ["r", "g", "b", "a"].prefix(options.dataShape[0])
        let mean = channels.map { Float(number("mean_\($0)") ?? 0) }
        let std = channels.map { Float(number("std_\($0)") ?? 1) }
        let scale = Float(number("scale") ?? 1)
        // The iterator of bytes knows no normalisation.
        if values.removeValue(forKey: "dtype") as? String ?? "float32" == "float32" {
            options.normalization = Normalization(mean: mean, std: std, scale: scale)
        }
        if let rest = values.keys.sorted().first { throw AnnealError(rest, "is not supported") }
        return try BatchLoader(try RecordFile(records, index: index), options: options)
    }
}
