import AnnealCore
import AnnealGraph

/// The residual networks of torchvision and timm, built from a state dict: depth, groups, width, stem, squeeze-and-excitation
/// and downsampling follow from its names and shapes.
///
/// Strides are where both libraries have them: in a bottleneck's 3x3 convolution. MXNet's `resnet-v1` has them in the
/// 1x1 convolution before it; all its names and shapes match, but it computes something else, so no network is looked
/// up by names alone. What arrays do not show at all, timm's antialiasing, follows from the network's name.
struct ResNetFamily {
    private let builder: LayerBuilder
    private let image: [Int]
    private let antialiasing: Antialiasing
    private let note: String?

    /// Whether the names are those of the family.
    static func owns(_ names: Set<String>) -> Bool {
        (names.contains("conv1.weight") || names.contains("conv1.0.weight")) && names.contains("layer1.0.conv1.weight")
    }

    /// - Parameters:
    ///   - image: (channels, height, width)
    ///   - name: the network's name, if it is known.
    /// - Throws: an error if the name belongs to another network.
    init(_ arrays: [String: ModelArray], image: [Int], name: ResNetName?) throws {
        builder = LayerBuilder(arrays)
        self.image = image
        let structure = ResNetStructure(arrays.mapValues(\.shape))
        (antialiasing, note) = try structure.antialiasing(name)
    }

    func model() throws -> ImportedModel {
        let data = builder.graph.input("data", [2, 3].map { Shape([$0] + image) })
        var body = try stem(data)
        for stage in 1...4 {
            let prefix = "layer\(stage)"
            guard builder.has("\(prefix).0.conv1.weight") else { throw unknown("has no \(prefix)") }
            var unit = 0
            while builder.has("\(prefix).\(unit).conv1.weight") {
                body = try self.unit(body, "\(prefix).\(unit)", stride: unit == 0 && stage > 1 ? 2 : 1)
                unit += 1
            }
        }
        guard builder.has("fc.weight") else {
            throw AnnealError(
                "", "has no classifier, fc.weight", suggestion: "give a checkpoint of a whole classifier",
                code: .mismatch)
        }
        let pooled = try builder.globalPool(body, "pool1")
        let flat = try builder.graph.add("Flatten", "flatten0", [pooled])[0]
        var model = try builder.finished(builder.fullyConnected(flat, "fc"), image: image)
        let rest = builder.rest
        guard rest.isEmpty else {
            throw unknown(
                "has \(rest.count.counted("array")) that no layer of the family reads: "
                    + rest.prefix(4).joined(separator: ", ") + (rest.count > 4 ? ", …" : ""))
        }
        if let note { model.notes.append(note) }
        if !builder.has("bn1.running_mean") {
            model.notes.append(
                "Its norms have no moving averages: taken as group norms of 32 groups, as in timm's resnet50_gn; with others, export it to ONNX"
            )
        }
        return model
    }

    private func unknown(_ problem: String) -> AnnealError {
        AnnealError("", problem, suggestion: WeightsNetwork.expected, code: .unsupported)
    }

    /// A 7x7 convolution, or timm's three 3x3 ones, that halves the image, and a pooling that halves it again.
    private func stem(_ data: Stored) throws -> Stored {
        var body: Stored
        if builder.has("conv1.weight") {
            guard let shape = builder.shape("conv1.weight"), shape.count == 4, shape[2] == 7, shape[3] == 7 else {
                throw unknown("begins with a convolution of \(builder.shape("conv1.weight")?.dropFirst(2) ?? [])")
            }
            body = try builder.convolution(data, "conv1", stride: 2)
        } else {
            body = try builder.convolution(data, "conv1.0", stride: 2)
            body = try builder.relu(builder.norm(body, "conv1.1"), "conv1.relu1")
            body = try builder.convolution(body, "conv1.3")
            body = try builder.relu(builder.norm(body, "conv1.4"), "conv1.relu2")
            body = try builder.convolution(body, "conv1.6")
        }
        body = try builder.relu(builder.norm(body, "bn1"), "relu0")
        if builder.has("maxpool.0.weight") {
            // ResNet-RS (Bello et al. 2021) has a convolution in place of the pooling.
            body = try builder.convolution(body, "maxpool.0", stride: 2)
            return try builder.relu(builder.norm(body, "maxpool.1"), "maxpool.relu")
        }
        switch antialiasing {
        case .strides: return try builder.pool(body, "max", kernel: 3, stride: 2, pad: 1, name: "maxpool")
        case .average: return try builder.halved(body, .average, "avgpool")
        case .blur:
            return try builder.halved(
                builder.pool(body, "max", kernel: 3, stride: 1, pad: 1, name: "maxpool"), .blur, "blur")
        }
    }

    private func unit(_ data: Stored, _ name: String, stride: Int) throws -> Stored {
        let isBottleneck = builder.has("\(name).conv3.weight"), isHalvedAfter = stride == 2 && antialiasing != .strides
        let ownStride = isHalvedAfter ? 1 : stride
        var body: Stored
        if isBottleneck {
            body = try builder.convolution(data, "\(name).conv1", pad: 0)
            body = try builder.relu(builder.norm(body, "\(name).bn1"), "\(name).relu1")
            body = try builder.convolution(
                body, "\(name).conv2", stride: ownStride, groups: try groups("\(name).conv2", of: body))
            body = try builder.relu(builder.norm(body, "\(name).bn2"), "\(name).relu2")
            if isHalvedAfter { body = try builder.halved(body, antialiasing, "\(name).aa") }
            body = try builder.norm(builder.convolution(body, "\(name).conv3", pad: 0), "\(name).bn3")
        } else {
            body = try builder.convolution(data, "\(name).conv1", stride: ownStride)
            body = try builder.relu(builder.norm(body, "\(name).bn1"), "\(name).relu1")
            if isHalvedAfter { body = try builder.halved(body, antialiasing, "\(name).aa") }
            body = try builder.norm(builder.convolution(body, "\(name).conv2"), "\(name).bn2")
        }
        if builder.has("\(name).se.fc1.weight") { body = try squeezed(body, "\(name).se") }
        if builder.has("\(name).se.conv.weight") { body = try attended(body, "\(name).se") }
        let shortcut = try self.shortcut(data, "\(name).downsample", stride: stride)
        let sum = try builder.graph.add("elemwise_add", "\(name).plus", [body, shortcut])[0]
        return try builder.relu(sum, "\(name).relu")
    }

    private func groups(_ name: String, of data: Stored) throws -> Int {
        guard let shape = builder.shape("\(name).weight"), shape.count == 4, shape[1] > 0, data.shape[1] % shape[1] == 0
        else { throw unknown("\(name).weight does not fit \(data.shape[1]) channels") }
        return data.shape[1] / shape[1]
    }

    /// Squeeze-and-excitation (Hu et al. 2018): channels scaled by gates computed from all channels' means.
    private func squeezed(_ data: Stored, _ name: String) throws -> Stored {
        var gate = try builder.globalPool(data, "\(name).pool")
        gate = try builder.relu(builder.convolution(gate, "\(name).fc1"), "\(name).relu")
        gate = try builder.convolution(gate, "\(name).fc2")
        gate = try builder.graph.add("Activation", "\(name).gate", [gate], ["act_type": "sigmoid"])[0]
        return try builder.graph.add("broadcast_mul", "\(name).scaled", [data, gate])[0]
    }

    /// Efficient channel attention (Wang et al. 2020): channels scaled by gates computed from neighbouring channels'
    /// means.
    private func attended(_ data: Stored, _ name: String) throws -> Stored {
        let means = try builder.globalPool(data, "\(name).pool")
        let row = try builder.graph.add("Reshape", "\(name).row", [means], ["shape": "(0, 1, 1, -1)"])[0]
        let gates = try builder.convolution(overRow: row, "\(name).conv")
        let gate = try builder.graph.add("Activation", "\(name).gate", [gates], ["act_type": "sigmoid"])[0]
        let column = try builder.graph.add("Reshape", "\(name).column", [gate], ["shape": "(0, -1, 1, 1)"])[0]
        return try builder.graph.add("broadcast_mul", "\(name).scaled", [data, column])[0]
    }

    private func shortcut(_ data: Stored, _ name: String, stride: Int) throws -> Stored {
        // In timm's -d networks a pooling, numbered 0, does the striding.
        if builder.shape("\(name).1.weight")?.count == 4 {
            let pooled =
                stride == 1
                ? data
                : try builder.pool(data, "avg", kernel: stride, stride: stride, name: "\(name).0", roundsUp: true)
            return try builder.norm(builder.convolution(pooled, "\(name).1"), "\(name).2")
        }
        guard builder.has("\(name).0.weight") else { return data }
        return try builder.norm(builder.convolution(data, "\(name).0", stride: stride), "\(name).1")
    }
}
