import AnnealCore

/// A function of one value, and what its derivative is computed from.
public protocol UnaryFunction: Sendable {
    static var name: String { get }
    static var aliases: [String] { get }
    /// x (`input`), the result (`output`), or neither; nil for steps, whose gradient is zero.
    static var gradientReads: [BackwardPart.Read]? { get }
}

extension UnaryFunction {
    public static var aliases: [String] { [] }
    public static var gradientReads: [BackwardPart.Read]? { [.input(0)] }
}

/// An elementwise operator without attributes; any shape.
public struct UnaryOperator<Function: UnaryFunction>: Operator {
    public static var name: String { Function.name }
    public static var aliases: [String] { Function.aliases }
    public init(_ attributes: inout AttributeReader) throws {}

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    public var backward: [BackwardPart] {
        Function.gradientReads.map { [BackwardPart(reads: $0 + [.head(0)], writes: [0])] } ?? []
    }
}

/// The unary operators, in MXNet's names.
public enum UnaryFunctions {
    public enum Abs: UnaryFunction { public static let name = "abs" }
    public enum Sign: UnaryFunction {
        public static let name = "sign", gradientReads: [BackwardPart.Read]? = nil
    }
    public enum Negative: UnaryFunction {
        public static let name = "negative", aliases = ["_np_negative"], gradientReads: [BackwardPart.Read]? = []
    }
    public enum Reciprocal: UnaryFunction {
        public static let name = "reciprocal", gradientReads: [BackwardPart.Read]? = [.output(0)]
    }
    public enum Square: UnaryFunction { public static let name = "square" }
    public enum Sqrt: UnaryFunction {
        public static let name = "sqrt", gradientReads: [BackwardPart.Read]? = [.output(0)]
    }
    /// 1 / √x
    public enum Rsqrt: UnaryFunction {
        public static let name = "rsqrt", gradientReads: [BackwardPart.Read]? = [.input(0), .output(0)]
    }
    public enum Cbrt: UnaryFunction {
        public static let name = "cbrt", gradientReads: [BackwardPart.Read]? = [.output(0)]
    }
    /// 1 / ∛x
    public enum Rcbrt: UnaryFunction {
        public static let name = "rcbrt", gradientReads: [BackwardPart.Read]? = [.input(0), .output(0)]
    }
    public enum Exp: UnaryFunction {
        public static let name = "exp", gradientReads: [BackwardPart.Read]? = [.output(0)]
    }
    /// e^x - 1
    public enum Expm1: UnaryFunction {
        public static let name = "expm1", gradientReads: [BackwardPart.Read]? = [.output(0)]
    }
    public enum Log: UnaryFunction { public static let name = "log" }
    public enum Log2: UnaryFunction { public static let name = "log2" }
    public enum Log10: UnaryFunction { public static let name = "log10" }
    /// log(1 + x)
    public enum Log1p: UnaryFunction { public static let name = "log1p" }
    public enum Sin: UnaryFunction { public static let name = "sin" }
    public enum Cos: UnaryFunction { public static let name = "cos" }
    public enum Tan: UnaryFunction {
        public static let name = "tan", gradientReads: [BackwardPart.Read]? = [.output(0)]
    }
    public enum Arcsin: UnaryFunction { public static let name = "arcsin" }
    public enum Arccos: UnaryFunction { public static let name = "arccos" }
    public enum Arctan: UnaryFunction { public static let name = "arctan" }
    public enum Sinh: UnaryFunction { public static let name = "sinh" }
    public enum Cosh: UnaryFunction { public static let name = "cosh" }
    public enum Tanh: UnaryFunction {
        public static let name = "tanh", gradientReads: [BackwardPart.Read]? = [.output(0)]
    }
    public enum Arcsinh: UnaryFunction { public static let name = "arcsinh" }
    public enum Arccosh: UnaryFunction { public static let name = "arccosh" }
    public enum Arctanh: UnaryFunction { public static let name = "arctanh" }
    public enum Erf: UnaryFunction { public static let name = "erf" }
    public enum Relu: UnaryFunction {
        public static let name = "relu", gradientReads: [BackwardPart.Read]? = [.output(0)]
    }
    public enum Sigmoid: UnaryFunction {
        public static let name = "sigmoid", gradientReads: [BackwardPart.Read]? = [.output(0)]
    }
    /// x / (1 + |x|)
    public enum Softsign: UnaryFunction { public static let name = "softsign" }
    public enum Floor: UnaryFunction {
        public static let name = "floor", gradientReads: [BackwardPart.Read]? = nil
    }
    public enum Ceil: UnaryFunction {
        public static let name = "ceil", gradientReads: [BackwardPart.Read]? = nil
    }
    public enum Trunc: UnaryFunction {
        public static let name = "trunc", gradientReads: [BackwardPart.Read]? = nil
    }
    /// Towards zero, as `trunc`.
    public enum Fix: UnaryFunction {
        public static let name = "fix", gradientReads: [BackwardPart.Read]? = nil
    }
    /// Halves go away from zero.
    public enum Round: UnaryFunction {
        public static let name = "round", gradientReads: [BackwardPart.Read]? = nil
    }
    /// Halves go down.
    public enum Rint: UnaryFunction {
        public static let name = "rint", gradientReads: [BackwardPart.Read]? = nil
    }
    public enum LogicalNot: UnaryFunction {
        public static let name = "logical_not", gradientReads: [BackwardPart.Read]? = nil
    }
    public enum ZerosLike: UnaryFunction {
        public static let name = "zeros_like", gradientReads: [BackwardPart.Read]? = nil
    }
    public enum OnesLike: UnaryFunction {
        public static let name = "ones_like", gradientReads: [BackwardPart.Read]? = nil
    }

    static let operators: [any Operator.Type] = [
        UnaryOperator<Abs>.self, UnaryOperator<Sign>.self, UnaryOperator<Negative>.self, UnaryOperator<Reciprocal>.self,
        UnaryOperator<Square>.self, UnaryOperator<Sqrt>.self, UnaryOperator<Rsqrt>.self, UnaryOperator<Cbrt>.self,
        UnaryOperator<Rcbrt>.self, UnaryOperator<Exp>.self, UnaryOperator<Expm1>.self, UnaryOperator<Log>.self,
        UnaryOperator<Log2>.self, UnaryOperator<Log10>.self, UnaryOperator<Log1p>.self, UnaryOperator<Sin>.self,
        UnaryOperator<Cos>.self, UnaryOperator<Tan>.self, UnaryOperator<Arcsin>.self, UnaryOperator<Arccos>.self,
        UnaryOperator<Arctan>.self, UnaryOperator<Sinh>.self, UnaryOperator<Cosh>.self, UnaryOperator<Tanh>.self,
        UnaryOperator<Arcsinh>.self, UnaryOperator<Arccosh>.self, UnaryOperator<Arctanh>.self, UnaryOperator<Erf>.self,
        UnaryOperator<Relu>.self, UnaryOperator<Sigmoid>.self, UnaryOperator<Softsign>.self, UnaryOperator<Floor>.self,
        UnaryOperator<Ceil>.self, UnaryOperator<Trunc>.self, UnaryOperator<Fix>.self, UnaryOperator<Round>.self,
        UnaryOperator<Rint>.self, UnaryOperator<LogicalNot>.self, UnaryOperator<ZerosLike>.self,
        UnaryOperator<OnesLike>.self,
    ]
}
