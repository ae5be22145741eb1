import AnnealCompiler

/// The type of an array's elements in StableHLO.
enum HLOType: String, Sendable {
    case f32, bf16, f16, i1, i32, ui8, ui32, ui64

    init(_ type: ElementType) {
        switch type {
        case .float32: self = .f32
        case .bfloat16: self = .bf16
        case .float16: self = .f16
        case .uint8: self = .ui8
        }
    }

    var isFloat: Bool { self == .f32 || self == .bf16 || self == .f16 }
    /// Bytes of an element.
    var size: Int {
        switch self {
        case .i1, .ui8: 1
        case .bf16, .f16: 2
        case .f32, .i32, .ui32: 4
        case .ui64: 8
        }
    }
}

/// The function of a StableHLO module as it is being written: arguments and operations, line by line.
final class HLOFunction {
    private var lines: [String] = []
    private var count = 0
    private var constants: [String: HLOValue] = [:]
    private var arguments: [HLOValue] = []
    /// Whether products of float32 numbers may be rounded to fewer digits.
    let usesTF32: Bool

    init(usesTF32: Bool = false) { self.usesTF32 = usesTF32 }

    /// Adds an argument.
    func argument(_ dims: [Int], _ type: HLOType) -> HLOValue {
        let value = HLOValue(name: "%arg\(arguments.count)", dims: dims, type: type, function: self)
        arguments.append(value)
        return value
    }

    /// Appends an operation with one result.
    /// - Parameter text: what follows the equals sign.
    func emit(_ dims: [Int], _ type: HLOType, _ text: String) -> HLOValue {
        let value = HLOValue(name: "%\(count)", dims: dims, type: type, function: self)
        count += 1
        lines.append("\(value.name) = \(text)")
        return value
    }

    /// Appends an operation with several results.
    func emit(_ results: [(dims: [Int], type: HLOType)], _ text: String) -> [HLOValue] {
        let name = "%\(count)"
        count += 1
        lines.append("\(name):\(results.count) = \(text)")
        return results.enumerated().map { index, result in
            HLOValue(name: "\(name)#\(index)", dims: result.dims, type: result.type, function: self)
        }
    }

    /// An array filled with one number, rounded to the type.
    func constant(_ value: Double, _ dims: [Int] = [], _ type: HLOType = .f32) -> HLOValue {
        if !dims.isEmpty { return constant(value, [], type).broadcast(to: dims) }
        if type == .bf16 || type == .f16 { return constant(value).converted(to: type) }
        let text = "stablehlo.constant dense<\(Self.literal(value, type))> : \(HLOValue.text([], type))"
        return shared(text) { emit([], type, text) }
    }

    /// An array of integers.
    func constant(_ values: [Int], _ type: HLOType = .i32) -> HLOValue {
        let list = values.map(String.init).joined(separator: ", ")
        let text = "stablehlo.constant dense<[\(list)]> : \(HLOValue.text([values.count], type))"
        return shared(text) { emit([values.count], type, text) }
    }

    /// An array of float32 numbers, in row-major order.
    func constant(_ values: [Float], _ dims: [Int]) -> HLOValue {
        let list = values.map { Self.literal(Double($0), .f32) }.joined(separator: ", ")
        return emit(
            [values.count], .f32, "stablehlo.constant dense<[\(list)]> : \(HLOValue.text([values.count], .f32))"
        )
        .reshaped(dims)
    }

    /// An array that holds the index along an axis.
    func iota(_ dims: [Int], axis: Int, _ type: HLOType = .i32) -> HLOValue {
        emit(dims, type, "stablehlo.iota dim = \(axis) : \(HLOValue.text(dims, type))")
    }

    private func shared(_ key: String, _ make: () -> HLOValue) -> HLOValue {
        if let known = constants[key] { return known }
        let value = make()
        constants[key] = value
        return value
    }

    private static func literal(_ value: Double, _ type: HLOType) -> String {
        switch type {
        case .i1: return value != 0 ? "true" : "false"
        case .f32, .bf16, .f16:
            let number = Float(value)
            if number.isFinite, number == number.rounded(), abs(number) < 1e6 { return "\(number)" }
            // The bits express it exactly.
            return "0x" + String(number.bitPattern, radix: 16, uppercase: true).padded(to: 8)
        default: return "\(Int64(value))"
        }
    }

    /// The module's text.
    /// - Parameter donated: for each argument whose memory a result takes over, that result's number.
    func module(results: [HLOValue], donated: [Int: Int] = [:]) -> String {
        let parameters = arguments.enumerated().map { index, argument in
            let alias = donated[index].map { " {tf.aliasing_output = \($0) : i32}" } ?? ""
            return "\(argument.name): \(argument.text)\(alias)"
        }
        let types = results.map(\.text).joined(separator: ", ")
        return """
            module @anneal {
            func.func public @main(\(parameters.joined(separator: ", "))) -> (\(types)) {
            \(lines.joined(separator: "\n"))
            return \(results.map(\.name).joined(separator: ", ")) : \(types)
            }
            }

            """
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        String(repeating: "0", count: max(0, width - count)) + self
    }
}
