import AnnealCore

/// Uniform in ±scale; MXNet's `uniform`, scale 0.07 by default.
public struct Uniform: Initializer {
    public static let name = "uniform"
    public var scale: Double

    public init(scale: Double = 0.07) { self.scale = scale }
    public init(options: inout NamedOptions) throws { self.init(scale: try options.number("scale", 0.07)) }

    public func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor {
        let scale = Float(scale)
        return drawn(shape) { random.uniform(-scale, scale) }
    }
}

/// Normal around 0; MXNet's `normal`, standard deviation 0.01 by default.
public struct Normal: Initializer {
    public static let name = "normal"
    public var sigma: Double

    public init(sigma: Double = 0.01) { self.sigma = sigma }
    public init(options: inout NamedOptions) throws { self.init(sigma: try options.number("sigma", 0.01)) }

    public func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor {
        let sigma = Float(sigma)
        return drawn(shape) { sigma * random.normal() }
    }
}

/// He et al. 2015, "Delving deep into rectifiers", arXiv:1502.01852: Xavier, gaussian, with magnitude 2 / (1 + slope²);
/// MXNet's `msraprelu` (`msra` in the scripts). MXNet's defaults: avg, slope 0.25.
public struct MSRAPrelu: Initializer {
    public static let name = "msraprelu"
    public var factor: Xavier.Factor
    public var slope: Double

    public init(factor: Xavier.Factor = .average, slope: Double = 0.25) {
        self.factor = factor
        self.slope = slope
    }

    public init(options: inout NamedOptions) throws {
        self.init(factor: try options.choice("factor_type", .average), slope: try options.number("slope", 0.25))
    }

    /// The same as Xavier.
    public var xavier: Xavier { Xavier(.gaussian, factor: factor, magnitude: 2 / (1 + slope * slope)) }

    public func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor {
        try xavier.weight(name, shape, &random)
    }
}

/// Orthogonal rows, or columns if there are more rows, times scale (Saxe, McClelland and Ganguli 2014,
/// arXiv:1312.6120); MXNet's `orthogonal`. MXNet's defaults: scale 1.414, uniform.
///
/// A weight is a matrix of shape[0] rows. MXNet takes singular vectors of a random matrix; here its rows (or columns)
/// are orthogonalised one after the other (Gram-Schmidt, twice each, in double precision), which for normal numbers
/// gives the same distribution.
public struct Orthogonal: Initializer {
    public static let name = "orthogonal"

    public enum Distribution: String, Sendable, CaseIterable { case uniform, normal }

    public var scale: Double
    public var distribution: Distribution

    public init(scale: Double = 1.414, distribution: Distribution = .uniform) {
        self.scale = scale
        self.distribution = distribution
    }

    public init(options: inout NamedOptions) throws {
        self.init(scale: try options.number("scale", 1.414), distribution: try options.choice("rand_type", .uniform))
    }

    public func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor {
        guard shape.rank >= 1, shape.count > 0 else { return Tensor(shape) }
        let rows = shape[0], columns = shape.count / rows
        let vectors = min(rows, columns), length = max(rows, columns)
        var matrix = [[Double]]()
        for _ in 0..<vectors {
            // A vector in the span of the others, which in practice never happens, would be drawn again.
            repeat {
                var vector = (0..<length).map { _ in
                    Double(distribution == .uniform ? random.uniform(-1, 1) : random.normal())
                }
                let before = dot(vector, vector)
                for _ in 0..<2 { for other in matrix { subtract(&vector, other, dot(vector, other)) } }
                let square = dot(vector, vector)
                guard square > 1e-20 * before, square > 0 else { continue }
                let factor = 1 / square.squareRoot()
                matrix.append(vector.map { $0 * factor })
                break
            } while true
        }
        var i = 0
        return drawn(shape) {
            defer { i += 1 }
            let row = i / columns, column = i % columns
            return Float(scale * (rows <= columns ? matrix[row][column] : matrix[column][row]))
        }
    }

    private func dot(_ a: [Double], _ b: [Double]) -> Double {
        a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                var sum = SIMD4<Double>(repeating: 0)
                var i = 0
                while i + 4 <= a.count {
                    let x = SIMD4<Double>(a[i], a[i + 1], a[i + 2], a[i + 3])
                    let y = SIMD4<Double>(b[i], b[i + 1], b[i + 2], b[i + 3])
                    sum += x * y
                    i += 4
                }
                var rest = 0.0
                while i < a.count {
                    rest += a[i] * b[i]
                    i += 1
                }
                return sum.sum() + rest
            }
        }
    }

    private func subtract(_ a: inout [Double], _ b: [Double], _ factor: Double) {
        a.withUnsafeMutableBufferPointer { a in
            b.withUnsafeBufferPointer { b in for i in 0..<a.count { a[i] -= factor * b[i] } }
        }
    }
}
