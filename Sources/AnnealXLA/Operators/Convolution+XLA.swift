import AnnealCore
import AnnealGraph

/// features[n, f, y] = Σ weight[f, c, k] · image[n, c, stride y + dilate k - pad], with channels last. A deconvolution is a
/// convolution with the roles of image and features exchanged.
private struct ConvolutionArrangement {
    let image: [Int]
    let features: [Int]
    let weight: [Int]
    let groups: Int
    let kernel: [Int]
    let stride: [Int]
    let pad: [Int]
    let dilate: [Int]

    /// - Parameters: shapes in MXNet's order.
    init(
        image: Shape, features: Shape, weight: Shape, groups: Int, kernel: [Int], stride: [Int], pad: [Int],
        dilate: [Int]
    ) {
        self.image = Order.channelsLast(image.dims)
        self.features = Order.channelsLast(features.dims)
        self.weight = Order.channelsLast(weight.dims)
        self.groups = groups
        self.kernel = kernel
        self.stride = stride
        self.pad = pad
        self.dilate = dilate
    }

    private var axes: Range<Int> { kernel.indices }
    private var spatial: String { axes.map(String.init).joined(separator: ", ") }
    private var ones: [Int] { axes.map { _ in 1 } }
    /// Whether each pixel is multiplied by the weight matrix.
    private var isProduct: Bool {
        groups == 1 && kernel.allSatisfy { $0 == 1 } && stride.allSatisfy { $0 == 1 } && pad.allSatisfy { $0 == 0 }
            && image.dropFirst().dropLast() == features.dropFirst().dropLast()
    }
    private func span(_ axis: Int) -> Int { dilate[axis] * (kernel[axis] - 1) + 1 }

    /// Padding after the image that makes the last window end with it; negative where windows do not reach the end.
    private var high: [Int] {
        axes.map { (features[$0 + 1] - 1) * stride[$0] + span($0) - image[$0 + 1] - pad[$0] }
    }

    func features(_ image: HLOValue, _ weight: HLOValue) -> HLOValue {
        image.convolved(
            weight,
            HLOValue.ConvolutionForm(
                dimensions: "[b, \(spatial), f]x[o, \(spatial), i]->[b, \(spatial), f]", strides: stride, low: pad,
                high: high, dataDilation: ones, kernelDilation: dilate, featureGroups: groups), result: features)
    }

    /// The transposed convolution: with the kernel reversed, and inputs and outputs exchanged within each group.
    /// Without groups it is enough to label the axes differently, and nothing is transposed.
    func image(_ features: HLOValue, _ weight: HLOValue) -> HLOValue {
        if isProduct {
            // As a convolution, XLA would transpose the weight for cuDNN in each step.
            let rows = features.reshaped([features.elementCount / self.weight[0], self.weight[0]])
            return rows.dot(weight.reshaped([self.weight[0], image[image.count - 1]]), contracting: ([1], [0]))
                .reshaped(image)
        }
        let filters = self.weight[0] / groups, channels = self.weight[self.weight.count - 1]
        let last = kernel.count + 2, kernelAxes = groups == 1 ? "i, \(spatial), o" : "o, \(spatial), i"
        let turned =
            groups == 1
            ? weight
            : weight.reshaped([groups, filters] + kernel + [channels])
                .transposed([0, last] + Array(2..<last) + [1]).reshaped([groups * channels] + kernel + [filters])
        return features.convolved(
            turned.reversed(axes.map { $0 + 1 }),
            HLOValue.ConvolutionForm(
                dimensions: "[b, \(spatial), f]x[\(kernelAxes)]->[b, \(spatial), f]", strides: ones,
                low: axes.map { span($0) - 1 - pad[$0] }, high: axes.map { span($0) - 1 - high[$0] },
                dataDilation: stride, kernelDilation: dilate, featureGroups: groups), result: image)
    }

    /// The gradient of the weight: a convolution over the batch.
    func weight(_ image: HLOValue, _ features: HLOValue) -> HLOValue {
        if groups == 1, kernel.allSatisfy({ $0 == 1 }), pad.allSatisfy({ $0 == 0 }),
            features.dims.dropFirst().dropLast().allSatisfy({ $0 == 1 })
        {
            // As a convolution, XLA would transpose weight and states for the update.
            let pixel = axes.reduce(image) { $0.sliced(axis: $1 + 1, from: 0, to: 1) }
            return features.reshaped([features.dims[0], weight[0]])
                .dot(pixel.reshaped([image.dims[0], weight[weight.count - 1]]), contracting: ([0], [0]))
                .reshaped(weight)
        }
        return image.convolved(
            features,
            HLOValue.ConvolutionForm(
                dimensions: "[f, \(spatial), b]x[i, \(spatial), o]->[f, \(spatial), b]", strides: dilate, low: pad,
                high: high, dataDilation: ones, kernelDilation: stride, batchGroups: groups), result: weight)
    }
}

/// All axes but the last.
private func leading(_ value: HLOValue) -> [Int] { Array(value.dims.indices.dropLast()) }

extension AnnealGraph.Convolution: XLAOperator {
    private func arrangement(_ operands: Operands) throws -> ConvolutionArrangement {
        let data = try operands.inputShape(0)
        return ConvolutionArrangement(
            image: data, features: Shape([data[0], numFilter] + window.outputExtents(data)),
            weight: try operands.inputShape(1), groups: numGroup, kernel: window.kernel, stride: window.stride,
            pad: window.pad, dilate: window.dilate)
    }

    func forward(_ operands: Operands) throws {
        var y = try arrangement(operands).features(operands.factor(.input(0)), operands.factor(.input(1)))
            .converted(to: .f32)
        if let bias = operands.optionalStored(.input(2)) { y = y + bias.broadcast(to: y.dims, axis: y.rank - 1) }
        operands.writeStored(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) throws {
        let arrangement = try arrangement(operands), dy = operands.factor(.outputGradient(0))
        if part == 0 {
            operands.writeStored(.gradient(1), arrangement.weight(operands.factor(.input(0)), dy))
            operands.writeStored(.gradient(2), operands.stored(.outputGradient(0)).sum(leading(dy)))
        } else {
            operands.writeStored(.gradient(0), arrangement.image(dy, operands.factor(.input(1))))
        }
    }
}

extension Deconvolution: XLAOperator {
    private func arrangement(_ operands: Operands) throws -> ConvolutionArrangement {
        let data = try operands.inputShape(0), weight = try operands.inputShape(1), (pad, adj) = try padding(data)
        let extents = window.kernel.indices.map { axis in
            window.stride[axis] * (data[axis + 2] - 1) + window.dilate[axis] * (window.kernel[axis] - 1) + 1
                - 2 * pad[axis] + adj[axis]
        }
        return ConvolutionArrangement(
            image: Shape([data[0], numFilter] + extents), features: data, weight: weight, groups: numGroup,
            kernel: window.kernel, stride: window.stride, pad: pad, dilate: window.dilate)
    }

    func forward(_ operands: Operands) throws {
        var y = try arrangement(operands).image(operands.factor(.input(0)), operands.factor(.input(1)))
            .converted(to: .f32)
        if let bias = operands.optionalStored(.input(2)) { y = y + bias.broadcast(to: y.dims, axis: y.rank - 1) }
        operands.writeStored(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) throws {
        let arrangement = try arrangement(operands), dy = operands.factor(.outputGradient(0))
        if part == 0 {
            operands.writeStored(.gradient(1), arrangement.weight(dy, operands.factor(.input(0))))
            operands.writeStored(.gradient(2), operands.stored(.outputGradient(0)).sum(leading(dy)))
        } else {
            operands.writeStored(.gradient(0), arrangement.features(dy, operands.factor(.input(1))))
        }
    }
}

extension FullyConnected: XLAOperator {
    /// The data as a matrix as wide as the weight.
    private func rows(_ operands: Operands) throws -> HLOValue {
        let x = operands[.input(0)].converted(to: HLOType(operands.writer.precision))
        let width = try operands.inputShape(1)[1]
        return x.reshaped([x.elementCount / width, width])
    }

    func forward(_ operands: Operands) throws {
        var y = try rows(operands).dot(operands.factor(.input(1)), contracting: ([1], [1])).converted(to: .f32)
        if let bias = operands.optionalStored(.input(2)) { y = y + bias.broadcast(to: y.dims, axis: 1) }
        operands.write(.output(0), y.reshaped(try operands.shape(.output(0)).dims))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let head = operands[.outputGradient(0)].reshaped([
            try operands.shape(.outputGradient(0)).count / numHidden, numHidden,
        ])
        let dy = head.converted(to: HLOType(operands.writer.precision))
        if part == 0 {
            operands.writeStored(.gradient(1), dy.dot(try rows(operands), contracting: ([0], [0])))
            operands.writeStored(.gradient(2), head.sum([0]))
        } else {
            let dx = dy.dot(operands.factor(.input(1)), contracting: ([1], [0]))
            operands.write(.gradient(0), dx.reshaped(try operands.inputShape(0).dims))
        }
    }
}
