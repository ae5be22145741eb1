import AnnealCore

/// All zeros; MXNet's `zero`.
public struct Zero: Initializer {
    public static let name = "zero"
    public init() {}
    public init(options: inout NamedOptions) throws {}
    public func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor { Tensor(shape) }
}

/// All ones; MXNet's `one`.
public struct One: Initializer {
    public static let name = "one"
    public init() {}
    public init(options: inout NamedOptions) throws {}
    public func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor {
        Tensor(shape, repeating: 1)
    }
}

/// One value for all elements, or one for each; MXNet's `constant`.
public struct Constant: Initializer {
    public static let name = "constant"

    /// One value, or one per element, row-major.
    public var values: [Float]

    public init(_ value: Float) { values = [value] }
    public init(_ values: [Float]) { self.values = values }

    public init(options: inout NamedOptions) throws {
        guard let value = options.value("value"), let values = Constant.flatten(value) else {
            throw AnnealError("\(options.place), value", "is not a number or a list of them")
        }
        self.init(values)
    }

    public func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor {
        if values.count == 1 { return Tensor(shape, repeating: values[0]) }
        guard values.count == shape.count else {
            throw AnnealError("parameter \(name)", "has shape \(shape), but the constant has \(values.count) values")
        }
        return Tensor(shape, values)
    }

    private static func flatten(_ value: OptionValue) -> [Float]? {
        switch value {
        case .number(let number): return [Float(number)]
        case .list(let list):
            let parts = list.map(flatten)
            return parts.contains { $0 == nil } ? nil : parts.flatMap { $0 ?? [] }
        default: return nil
        }
    }
}

/// Weights of a deconvolution that upsamples by bilinear interpolation (Long, Shelhamer and Darrell 2015); MXNet's
/// `bilinear`. Requires (out, in, height, width).
public struct Bilinear: Initializer {
    public static let name = "bilinear"
    public init() {}
    public init(options: inout NamedOptions) throws {}

    public func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor {
        guard shape.rank == 4 else {
            throw AnnealError("parameter \(name)", "has shape \(shape)", suggestion: "bilinear needs four axes")
        }
        let width = shape[3], height = shape[2]
        // MXNet uses the width for both axes.
        let f = (Double(width) / 2).rounded(.up)
        let center = (2 * f - 1 - f.truncatingRemainder(dividingBy: 2)) / (2 * f)
        var i = 0
        return drawn(shape) {
            defer { i += 1 }
            let x = Double(i % width), y = Double(i / width % height)
            return Float((1 - abs(x / f - center)) * (1 - abs(y / f - center)))
        }
    }
}

/// Zero except for the forget gate, the second quarter (Jozefowicz, Zaremba and Sutskever 2015); MXNet's `lstmbias`.
public struct LSTMBias: Initializer {
    public static let name = "lstmbias"
    public var forgetBias: Float

    public init(forgetBias: Float = 1) { self.forgetBias = forgetBias }

    public init(options: inout NamedOptions) throws {
        self.init(forgetBias: Float(try options.number("forget_bias", 1)))
    }

    public func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor {
        guard shape.rank == 1 else {
            throw AnnealError("parameter \(name)", "has shape \(shape)", suggestion: "lstmbias needs one axis")
        }
        var tensor = Tensor(shape)
        let hidden = shape[0] / 4
        for i in hidden..<2 * hidden { tensor.elements[i] = forgetBias }
        return tensor
    }
}

/// Convolutions that initially pass their input on: the first filters, as many as there are input channels, are 1 in
/// the centre of their own channel and 0 elsewhere; the rest, and other weights, are uniform in ±1/√fan-in, PyTorch's
/// default. Not in MXNet; as in airbench (Jordan 2024, arXiv:2404.00498), after Zagoruyko and Komodakis 2017,
/// arXiv:1706.00388.
public struct Dirac: Initializer {
    public static let name = "dirac"

    public init() {}
    public init(options: inout NamedOptions) throws {}

    public func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor {
        var tensor = try Xavier(.uniform, factor: .fanIn, magnitude: 1).weight(name, shape, &random)
        guard shape.rank == 4, shape.dims[2...].allSatisfy({ $0 % 2 == 1 }) else { return tensor }
        let window = shape[2] * shape[3], filter = shape[1] * window
        for channel in 0..<min(shape[0], shape[1]) {
            for i in 0..<filter { tensor.elements[channel * filter + i] = 0 }
            tensor.elements[channel * filter + channel * window + window / 2] = 1
        }
        return tensor
    }
}
