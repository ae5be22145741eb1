import AnnealCore
import AnnealGraph

/// The network that a state dict belongs to.
package enum WeightsNetwork {
    static let expected =
        "state dicts of torchvision's and timm's ResNet family are taken (ResNet, ResNeXt, wide, -d, SE, ECA, RS, group norm); "
        + "export another network to ONNX"

    /// - Parameters:
    ///   - path: the file's path; its name may be the network's, and timm's `config.json` may be next to it.
    /// - Throws: an error that names the expected family, and what does not belong to it.
    package static func model(_ file: WeightsFile, path: String?, options: ImportOptions) throws -> ImportedModel {
        let names = Set(file.arrays.keys)
        guard ResNetFamily.owns(names) else {
            let shown = names.sorted().prefix(4).joined(separator: ", ")
            throw AnnealError(
                "", "its weights (\(shown)\(names.count > 4 ? ", …" : "")) are of a network that is not known",
                suggestion: expected, code: .unsupported)
        }
        let config = try path.flatMap {
            try TimmConfiguration.read(Files.path(Files.folder(of: $0), TimmConfiguration.fileName))
        }
        let architecture = try ResNetName.found(
            flag: options.architecture, config: config?.architecture, file: path.map { Files.name(of: $0) })
        let stem = file.arrays["conv1.weight"] ?? file.arrays["conv1.0.weight"]
        let channels = stem.flatMap { $0.rank == 4 ? $0.shape[1] : nil } ?? 3
        var image = options.imageShape ?? config?.imageShape ?? [channels, 224, 224]
        if options.imageShape == nil { image[0] = channels }
        guard image[0] == channels else {
            throw AnnealError(
                "", "takes images of \(channels.counted("channel"))", suggestion: "give --image-shape \(channels),H,W",
                code: .mismatch)
        }
        var model = try ResNetFamily(file.arrays, image: image, name: architecture).model()
        model.notes = file.notes + model.notes
        if let config, let record = config.images, record.mean?.count == channels {
            model.images = record
        } else if channels == 3 {
            model.images = .imageNet
            model.images.classNames = config?.images?.classNames
            model.notes.append(
                "The file does not say how its images were preprocessed: as torchvision's, mean and deviation of ImageNet, is assumed"
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
