import AnnealCore

/// AdaGrad with one rate for each row of a parameter (Duchi, Hazan and Singer 2011, JMLR 12); MXNet's `groupadagrad`.
///
///     G = C(r*g)
///     h = h + mean over the row of G²
///     w = w - l*G / sqrt(h + eps)
///
/// It has no weight decay. Its weights are in plain order (`rowLength`): `Trainer` keeps them so. MXNet takes matrices only;
/// here a row is everything after the first axis. The state holds a row's h in each of its elements. MXNet's defaults:
/// eps 1e-5, learning rate 0.01.
public struct GroupAdaGrad: OptimizerRule {
    public static let name = "groupadagrad"

    public var epsilon: Double

    public init(epsilon: Double = 1e-5) { self.epsilon = epsilon }

    public init(options: inout NamedOptions) throws { self.init(epsilon: try options.number("eps", 1e-5)) }

    public var stateCount: Int { 1 }
    public var wantsRows: Bool { true }
    public static var takesWeightDecay: Bool { false }

    public func check(_ parameter: OptimizedParameter, weightDecay: Double) throws {
        let place = "parameter \(parameter.name)"
        guard weightDecay == 0 else {
            throw AnnealError(
                place, "has weight decay, which groupadagrad cannot do", suggestion: "set wd to 0 (--wd 0)")
        }
        guard let row = parameter.rowLength, row > 0, parameter.count % row == 0 else {
            throw AnnealError(place, "is not in rows, which groupadagrad wants", suggestion: "keep it in plain layout")
        }
    }

    public func update(_ slice: ParameterSlice, _ step: StepContext) {
        let bound = step.pythonBound, l = step.l, r = step.r, epsilon = Float(epsilon)
        var start = 0
        while start < slice.count {
            let row = slice.subslice(start..<start + step.rowLength)
            let squares = row.sums { _, g in
                let gradient = clip(r * g, bound)
                return (gradient * gradient, 0)
            }
            let mean = Float(squares.0 / Double(step.rowLength))
            row.update { w, g, h in
                h += mean
                w -= l * clip(r * g, bound) / root(h + epsilon)
            }
            start += step.rowLength
        }
    }
}
