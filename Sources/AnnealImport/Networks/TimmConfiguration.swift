import AnnealCore
import Foundation

/// timm's `config.json` next to weights: which network it is, and how its images are prepared.
struct TimmConfiguration {
    static let fileName = "config.json"
    var architecture: String?
    /// Channels, height, width.
    var imageShape: [Int]?
    var images: ImportedModel.ImageRecord?

    /// nil if the file does not exist.
    /// - Throws: an error if the file is something else.
    static func read(_ path: String) throws -> TimmConfiguration? {
        guard Files.exists(path) else { return nil }
        guard let root = try? JSONSerialization.jsonObject(with: Files.read(path)) as? [String: Any] else {
            throw AnnealError(path, "is not a JSON object", suggestion: "delete it, or copy it again", code: .damaged)
        }
        // Other libraries use this file name too.
        guard let architecture = root["architecture"] as? String else { return nil }
        try checkShown(root, path)
        var config = TimmConfiguration(architecture: architecture)
        let pretrained = root["pretrained_cfg"] as? [String: Any] ?? root
        func numbers(_ key: String) -> [Double]? { pretrained[key] as? [Double] }
        if let size = pretrained["input_size"] as? [Int], size.count == 3, size.allSatisfy((1...1 << 16).contains) {
            config.imageShape = size
        }
        var record = ImportedModel.ImageRecord()
        if let mean = numbers("mean"), let std = numbers("std"), mean.count == std.count, std.allSatisfy({ $0 > 0 }) {
            // timm's values are for pixels from 0 to 1.
            record.mean = mean.map { Float($0 * 255) }
            record.std = std.map { Float($0 * 255) }
        }
        if let part = pretrained["crop_pct"] as? Double, part > 0, part <= 1, let size = config.imageShape {
            record.resize = Int((Double(min(size[1], size[2])) / part).rounded(.down))
        }
        if let names = root["label_names"] as? [String], !names.isEmpty {
            let texts = root["label_descriptions"] as? [String: String] ?? [:]
            record.classNames = names.map { texts[$0] ?? $0 }
        }
        config.images = record
        return config
    }

    /// Arguments of timm's networks that their arrays show, or that only matter in training.
    private static let shownArguments: Set<String> = [
        "num_classes", "in_chans", "img_size", "layers", "channels", "cardinality", "base_width", "stem_width",
        "stem_type", "replace_stem_pool", "block_reduce_first", "down_kernel_size", "avg_down", "drop_rate",
        "drop_path_rate", "drop_block_rate", "zero_init_last",
    ]

    /// - Throws: an error if the network was built differently from what its name and its arrays say.
    private static func checkShown(_ root: [String: Any], _ path: String) throws {
        var hidden = Set((root["model_args"] as? [String: Any] ?? [:]).keys).subtracting(shownArguments)
        if let pool = root["global_pool"] as? String, pool != "avg" { hidden.insert("global_pool") }
        guard let name = hidden.min() else { return }
        throw AnnealError(
            path, "builds the network with \(name), which its weights do not show", suggestion: "export it to ONNX",
            code: .unsupported)
    }
}
