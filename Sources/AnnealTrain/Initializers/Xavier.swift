import AnnealCore

/// Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks"; MXNet's
/// `xavier`.
///
/// scale = sqrt(magnitude / factor), where factor is fan_in = shape[1] * prod(shape[2:]), fan_out = shape[0] *
/// prod(shape[2:]) or their average; values are uniform in ±scale or normal with deviation scale. MXNet's defaults:
/// uniform, avg, 3.
public struct Xavier: Initializer {
    public static let name = "xavier"

    public enum Distribution: String, Sendable, CaseIterable { case uniform, gaussian }
    public enum Factor: String, Sendable, CaseIterable {
        case average = "avg"
        case fanIn = "in"
        case fanOut = "out"
    }

    public var distribution: Distribution
    public var factor: Factor
    public var magnitude: Double

    public init(_ distribution: Distribution = .uniform, factor: Factor = .average, magnitude: Double = 3) {
        self.distribution = distribution
        self.factor = factor
        self.magnitude = magnitude
    }

    public init(options: inout NamedOptions) throws {
        self.init(
            try options.choice("rnd_type", .uniform), factor: try options.choice("factor_type", .average),
            magnitude: try options.number("magnitude", 3))
    }

    /// The bound or the standard deviation for a shape. Throws on shapes with fewer than 2 axes.
    public func scale(_ shape: Shape, of name: String = "weight") throws -> Double {
        guard shape.rank >= 2 else {
            throw AnnealError("parameter \(name)", "has shape \(shape)", suggestion: "xavier needs at least two axes")
        }
        let window = Double(shape.dims.dropFirst(2).reduce(1, *))
        let fanIn = Double(shape[1]) * window, fanOut = Double(shape[0]) * window
        let divisor =
            switch factor {
            case .average: (fanIn + fanOut) / 2
            case .fanIn: fanIn
            case .fanOut: fanOut
            }
        return (magnitude / divisor).squareRoot()
    }

    public func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor {
        let scale = Float(try scale(shape, of: name))
        return switch distribution {
        case .uniform: drawn(shape) { random.uniform(-scale, scale) }
        case .gaussian: drawn(shape) { scale * random.normal() }
        }
    }
}

/// A tensor of values drawn in row-major order.
func drawn(_ shape: Shape, _ value: () -> Float) -> Tensor {
    let count = shape.count
    return Tensor(
        shape,
        [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            for i in 0..<count { buffer[i] = value() }
            initialized = count
        })
}
