import AnnealCore
import Foundation

/// MXNet's ImageRecordIter by its own parameter names, for test cases and scripts written for it.
package enum ImageRecordIterParameters {
    /// Builds a loader that behaves like the iterator.
    /// - Parameters:
    ///   - parameters: as decoded from JSON: numbers, booleans, strings, arrays.
    ///   - folder: the base of relative paths.
    /// - Throws: `AnnealError` naming a parameter that is not supported, or one of the loader's own errors.
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
        options.decodesExactly = true
        let index = path("path_imgidx")
        if let list = path("path_imglist") { options.relabel(with: try ImageList(file: list)) }
        options.labelWidth = Int(number("label_width") ?? 1)
        options.shuffle = flag("shuffle") ?? false
        options.seed = UInt64(number("seed") ?? 0)
        options.lastBatch = flag("round_batch") ?? true ? .rollsOver : .filled
        options.numParts = Int(number("num_parts") ?? 1)
        options.partIndex = Int(number("part_index") ?? 0)
        if let threads = number("preprocess_threads") { options.threads = Int(threads) }

        options.augmentation = try augmentation { number($0) }

        let channels = ["r", "g", "b", "a"].prefix(options.dataShape[0])
        let mean = channels.map { Float(number("mean_\($0)") ?? 0) }
        let std = channels.map { Float(number("std_\($0)") ?? 1) }
        let scale = Float(number("scale") ?? 1)
        // The byte iterator has no normalisation.
        if values.removeValue(forKey: "dtype") as? String ?? "float32" == "float32" {
            options.normalization = Normalization(mean: mean, std: std, scale: scale)
        }
        if let rest = values.keys.sorted().first { throw AnnealError(rest, "is not supported") }
        return try BatchLoader(try RecordFile(records, index: index), options: options)
    }

    /// The augmenter's parameters; MXNet's -1 means "off".
    private static func augmentation(_ number: (String) -> Double?) throws -> Augmentation {
        var result = Augmentation()
        func real(_ name: String, _ standard: Float) -> Float { number(name).map { Float($0) } ?? standard }
        func integer(_ name: String, _ standard: Int = 0) -> Int { number(name).map { Int($0) } ?? standard }
        func range<Value: Comparable>(_ name: String, _ low: Value, _ high: Value) throws -> ClosedRange<Value> {
            guard low <= high else { throw AnnealError("min_\(name)", "\(low) is more than \(high)") }
            return low...high
        }
        result.resize = max(0, integer("resize"))
        result.pad = integer("pad")
        result.fillValue = UInt8(clamping: integer("fill_value", 255))
        result.randomCrop = integer("rand_crop") != 0
        result.mirror = integer("mirror") != 0
        result.randomMirror = integer("rand_mirror") != 0
        let smallest = integer("min_crop_size", -1), largest = integer("max_crop_size", -1)
        if smallest > 0 || largest > 0 { result.cropSize = try range("crop_size", max(1, smallest), largest) }

        let angle = abs(integer("max_rotate_angle")), fixed = integer("rotate", -1)
        result.affine.rotation = fixed > 0 ? fixed...fixed : -angle...angle
        result.affine.shear = real("max_shear_ratio", 0)
        result.affine.scale = try range("random_scale", real("min_random_scale", 1), real("max_random_scale", 1))
        let widest = real("max_aspect_ratio", 0)
        let aspect =
            try number("min_aspect_ratio").map { try range("aspect_ratio", Float($0), widest) }
            ?? range("aspect_ratio", 1 - widest, 1 + widest)
        let area = try range("random_area", real("min_random_area", 1), real("max_random_area", 1))
        if integer("random_resized_crop") != 0 {
            result.resizedCrop = RandomResizedCrop(area: area, ratio: aspect)
        } else {
            result.affine.aspect = aspect
        }

        result.colour.brightness = real("brightness", 0)
        result.colour.contrast = real("contrast", 0)
        result.colour.saturation = real("saturation", 0)
        result.colour.randomH = integer("random_h")
        result.colour.randomS = integer("random_s")
        result.colour.randomL = integer("random_l")
        result.colour.pcaNoise = real("pca_noise", 0)
        if let method = number("inter_method") {
            guard let interpolation = Interpolation(rawValue: Int(method)) else {
                throw AnnealError("inter_method", "\(Int(method)) is not supported")
            }
            result.interpolation = interpolation
        }
        return result
    }
}
