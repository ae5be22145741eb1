import AnnealCore
import AnnealGraph

extension AnnealGraph.Convolution: ReferenceOperator {
    private func taps(_ operands: Operands) throws -> ConvolutionTaps {
        let data = try operands.inputShape(0)
        return ConvolutionTaps(
            image: data, features: Shape([data[0], numFilter] + window.outputExtents(data)), groups: numGroup,
            kernel: window.kernel, stride: window.stride, pad: window.pad, dilate: window.dilate)
    }

    func forward(_ operands: Operands) throws {
        let taps = try taps(operands)
        var y = NDArray(taps.features)
        if let bias = operands.optional(.input(2)) { taps.forEachFeature { y[$0] = bias[$1] } }
        taps.addFeatures(&y, image: operands[.input(0)], weight: operands[.input(1)])
        operands.write(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) throws {
        let taps = try taps(operands), dy = operands[.outputGradient(0)]
        if part == 0 {
            operands.write(
                .gradient(1), taps.weight(try operands.inputShape(1), image: operands[.input(0)], features: dy))
            var bias = NDArray([numFilter])
            taps.forEachFeature { bias[$1] += dy[$0] }
            operands.write(.gradient(2), bias)
        } else {
            operands.write(.gradient(0), taps.image(weight: operands[.input(1)], features: dy))
        }
    }
}

/// A deconvolution is a convolution with the roles of image and features exchanged.
extension Deconvolution: ReferenceOperator {
    private func taps(_ operands: Operands) throws -> ConvolutionTaps {
        let data = try operands.inputShape(0), weight = try operands.inputShape(1), (pad, adj) = try padding(data)
        let extents = window.kernel.indices.map { axis in
            window.stride[axis] * (data[axis + 2] - 1) + window.dilate[axis] * (weight[axis + 2] - 1) + 1
                - 2 * pad[axis] + adj[axis]
        }
        return ConvolutionTaps(
            image: Shape([data[0], numFilter] + extents), features: data, groups: numGroup, kernel: window.kernel,
            stride: window.stride, pad: pad, dilate: window.dilate)
    }

    func forward(_ operands: Operands) throws {
        let taps = try taps(operands)
        var y = taps.image(weight: operands[.input(1)], features: operands[.input(0)])
        if let bias = operands.optional(.input(2)) { taps.forEachPixel { y[$0] += bias[$1] } }
        operands.write(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) throws {
        let taps = try taps(operands), dy = operands[.outputGradient(0)]
        if part == 0 {
            operands.write(
                .gradient(1), taps.weight(try operands.inputShape(1), image: dy, features: operands[.input(0)]))
            var bias = NDArray([numFilter])
            taps.forEachPixel { bias[$1] += dy[$0] }
            operands.write(.gradient(2), bias)
        } else {
            var dx = NDArray(taps.features)
            taps.addFeatures(&dx, image: dy, weight: operands[.input(1)])
            operands.write(.gradient(0), dx)
        }
    }
}

/// The products of a convolution over 1 to 3 axes: features[n, f, y] += weight[f, c, k] · image[n, c, stride y + dilate k
/// - pad].
private struct ConvolutionTaps {
    let image: Shape
    let features: Shape
    private let groups: Int
    // With leading axes of extent 1 up to three.
    private let inner: [Int]
    private let outer: [Int]
    private let kernel: [Int]
    private let stride: [Int]
    private let pad: [Int]
    private let dilate: [Int]

    init(image: Shape, features: Shape, groups: Int, kernel: [Int], stride: [Int], pad: [Int], dilate: [Int]) {
        func three(_ values: some Collection<Int>, _ missing: Int) -> [Int] {
            Array(repeating: missing, count: 3 - values.count) + values
        }
        self.image = image
        self.features = features
        self.groups = groups
        inner = three(image.dims.dropFirst(2), 1)
        outer = three(features.dims.dropFirst(2), 1)
        self.kernel = three(kernel, 1)
        self.stride = three(stride, 1)
        self.pad = three(pad, 0)
        self.dilate = three(dilate, 1)
    }

    /// Calls body(element, filter).
    func forEachFeature(_ body: (Int, Int) -> Void) { forEach(features, body) }
    /// Calls body(element, channel).
    func forEachPixel(_ body: (Int, Int) -> Void) { forEach(image, body) }

    private func forEach(_ shape: Shape, _ body: (Int, Int) -> Void) {
        let positions = shape.dims.dropFirst(2).reduce(1, *)
        for i in 0..<shape.count { body(i, i / positions % shape[1]) }
    }

    /// A run of products along the last axis, with one weight.
    private struct Row {
        var weight, feature, pixel, count, step: Int
    }

    /// Calls body for each run: features[feature + i] belongs to image[pixel + i · step], 0 <= i < count.
    private func forEachRow(_ body: (Row) -> Void) {
        let filters = features[1] / groups, channels = image[1] / groups
        let taps = kernel.reduce(1, *)
        /// Output positions along an axis with an input position for tap k inside the image.
        func range(_ axis: Int, _ k: Int) -> Range<Int> {
            let shift = k * dilate[axis] - pad[axis]
            let low = shift >= 0 ? 0 : (-shift + stride[axis] - 1) / stride[axis]
            let last = inner[axis] - 1 - shift
            let high = last < 0 ? 0 : min(outer[axis], last / stride[axis] + 1)
            return low..<max(low, high)
        }
        for n in 0..<image[0] {
            for f in 0..<features[1] {
                for c in 0..<channels {
                    let channel = f / filters * channels + c
                    for (tap, k) in Indices(kernel).enumerated() {
                        let columns = range(2, k[2]), shift = (0..<3).map { k[$0] * dilate[$0] - pad[$0] }
                        for depth in range(0, k[0]) {
                            for row in range(1, k[1]) {
                                let from =
                                    ((n * image[1] + channel) * inner[0] + depth * stride[0] + shift[0]) * inner[1]
                                    + row * stride[1] + shift[1]
                                let to = ((n * features[1] + f) * outer[0] + depth) * outer[1] + row
                                body(
                                    Row(
                                        weight: (f * channels + c) * taps + tap,
                                        feature: to * outer[2] + columns.lowerBound,
                                        pixel: from * inner[2] + columns.lowerBound * stride[2] + shift[2],
                                        count: columns.count, step: stride[2]))
                            }
                        }
                    }
                }
            }
        }
    }

    func addFeatures(_ features: inout NDArray, image: NDArray, weight: NDArray) {
        features.elements.withUnsafeMutableBufferPointer { y in
            image.elements.withUnsafeBufferPointer { x in
                forEachRow { row in
                    let w = weight[row.weight]
                    for i in 0..<row.count { y[row.feature + i] += w * x[row.pixel + i * row.step] }
                }
            }
        }
    }

    /// The transposed convolution.
    func image(weight: NDArray, features: NDArray) -> NDArray {
        var image = NDArray(self.image)
        image.elements.withUnsafeMutableBufferPointer { x in
            features.elements.withUnsafeBufferPointer { y in
                forEachRow { row in
                    let w = weight[row.weight]
                    for i in 0..<row.count { x[row.pixel + i * row.step] += w * y[row.feature + i] }
                }
            }
        }
        return image
    }

    /// The gradient of the weight.
    func weight(_ shape: Shape, image: NDArray, features: NDArray) -> NDArray {
        var weight = NDArray(shape)
        image.elements.withUnsafeBufferPointer { x in
            features.elements.withUnsafeBufferPointer { y in
                forEachRow { row in
                    var sum = 0.0
                    for i in 0..<row.count { sum += x[row.pixel + i * row.step] * y[row.feature + i] }
                    weight[row.weight] += sum
                }
            }
        }
        return weight
    }
}

extension FullyConnected: ReferenceOperator {
    func forward(_ operands: Operands) throws {
        let x = operands[.input(0)], weight = operands[.input(1)], bias = operands.optional(.input(2))
        let width = weight.shape[1], rows = x.count / width
        var y = NDArray(try operands.shape(.output(0)))
        for row in 0..<rows {
            for unit in 0..<numHidden {
                var sum = bias?[unit] ?? 0
                for k in 0..<width { sum += x[row * width + k] * weight[unit * width + k] }
                y[row * numHidden + unit] = sum
            }
        }
        operands.write(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) throws {
        let dy = operands[.outputGradient(0)], weightShape = try operands.inputShape(1)
        let width = weightShape[1], rows = dy.count / numHidden
        if part == 0 {
            let x = operands[.input(0)]
            var weight = NDArray(weightShape), bias = NDArray([numHidden])
            for row in 0..<rows {
                for unit in 0..<numHidden {
                    let d = dy[row * numHidden + unit]
                    bias[unit] += d
                    for k in 0..<width { weight[unit * width + k] += d * x[row * width + k] }
                }
            }
            operands.write(.gradient(1), weight)
            operands.write(.gradient(2), bias)
        } else {
            let weight = operands[.input(1)]
            var dx = NDArray(try operands.inputShape(0))
            for row in 0..<rows {
                for unit in 0..<numHidden {
                    let d = dy[row * numHidden + unit]
                    for k in 0..<width { dx[row * width + k] += d * weight[unit * width + k] }
                }
            }
            operands.write(.gradient(0), dx)
        }
    }
}
