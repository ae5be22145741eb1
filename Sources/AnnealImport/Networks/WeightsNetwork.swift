import AnnealCore
import AnnealGraph
import Foundation

/// The network that a state dict is of.
package enum WeightsNetwork {
    static let expected =
        "state dicts of torchvision's and timm's ResNet family are taken (ResNet, ResNeXt, wide, -d, SE, group norm); "
        + "export another network to ONNX"

    /// - Parameters:
    ///   - folder: where timm's `config.json` may be.
    /// - Throws: an error that names the family that is expected, and what does not belong to it.
    package static func model(_ file: WeightsFile, folder: String?, options: ImportOptions) throws -> ImportedModel {
        let names = Set(file.arrays.keys)
        guard ResNetFamily.owns(names) else {
            let shown = names.sorted().prefix(4).joined(separator: ", ")
            throw AnnealError(
                "", "its weights (\(shown)\(names.count > 4 ? ", …" : "")) are of a network that is not known",
                suggestion: expected, code: .unsupported)
        }
        let config = try folder.flatMap { try TimmConfiguration.read(Files.path($0, "config.json")) }
        if let name = config?.architecture, TimmConfiguration.hidesLayers(name) {
            throw AnnealError(
                "config.json", "says that the network is \(name), whose blurring layers have no weights",
                suggestion: "export it to ONNX", code: .unsupported)
        }
        let stem = file.arrays["conv1.weight"] ?? file.arrays["conv1.0.weight"]
        let channels = stem.flatMap { $0.rank == 4 ? $0.shape[1] : nil } ?? 3
        var image = options.imageShape ?? config?.imageShape ?? [channels, 224, 224]
        if options.imageShape == nil { image[0] = channels }
        guard image[0] == channels else {
            throw AnnealError(
                "", "takes images of \(channels.counted("channel"))", suggestion: "give --image-shape \(channels),H,W",
                code: .mismatch)
        }
        var model = try ResNetFamily(file.arrays, image: image).model()
        model.notes = file.notes + model.notes
        if let config, let record = config.images, record.mean?.count == channels {
            model.images = record
        } else if channels == 3 {
            model.images = .imageNet
            model.images.classNames = config?.images?.classNames
            model.notes.append(
                "The file does not say how its images were prepared: as torchvision's, mean and deviation of ImageNet, is assumed"
            )
        }
        return model
    }
}

extension ImportedModel.ImageRecord {
    /// What torchvision's networks and most of timm's are trained with.
    static var imageNet: Self {
        var record = Self()
        record.mean = [123.675, 116.28, 103.53]
        record.std = [58.395, 57.12, 57.375]
        record.resize = 256
        return record
    }
}

/// timm's `config.json` next to weights: what network it is, and how its images are prepared.
struct TimmConfiguration {
    var architecture: String?
    /// Channels, height, width.
    var imageShape: [Int]?
    var images: ImportedModel.ImageRecord?

    /// nil if it is not there.
    /// - Throws: an error if it is something else.
    static func read(_ path: String) throws -> TimmConfiguration? {
        guard Files.exists(path) else { return nil }
        guard let root = try? JSONSerialization.jsonObject(with: Files.read(path)) as? [String: Any] else {
            throw AnnealError(path, "is not a JSON object", suggestion: "delete it, or copy it again", code: .damaged)
        }
        // Other libraries have files of this name.
        guard let architecture = root["architecture"] as? String else { return nil }
        var config = TimmConfiguration(architecture: architecture)
        let pretrained = root["pretrained_cfg"] as? [String: Any] ?? root
        func numbers(_ key: String) -> [Double]? { pretrained[key] as? [Double] }
        if let size = pretrained["input_size"] as? [Int], size.count == 3, size.allSatisfy((1...1 << 16).contains) {
            config.imageShape = size
        }
        var record = ImportedModel.ImageRecord()
        if let mean = numbers("mean"), let std = numbers("std"), mean.count == std.count, std.allSatisfy({ $0 > 0 }) {
            // timm's are of pixels from 0 to 1.
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

    /// Networks that have the arrays of others and compute something else.
    static func hidesLayers(_ architecture: String) -> Bool {
        ["resnetblur", "resnetaa", "resnextaa", "seresnetaa", "seresnextaa", "wide_resnetaa"].contains {
            architecture.contains($0)
        }
    }
}
