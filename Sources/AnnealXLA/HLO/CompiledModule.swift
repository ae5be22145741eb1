import AnnealCore

/// The instructions of a program after all of XLA's optimizations, as far as tests inspect them. Read from an
/// `HloModuleProtoWithConfig` in the Protocol Buffers encoding.
package struct CompiledModule {
    struct Instruction {
        var id = 0
        var opcode = ""
        /// The element type of an array, or of the first array of a tuple, as XLA's number.
        var elementType = 0
        /// The number of a computation's parameter; they need not be in order.
        var number = 0
        var operands: [Int] = []
        var called: [Int] = []
        /// The target of a library call.
        var target = ""
    }
    private var computations: [Int: [Instruction]] = [:]
    private var entry = 0

    private static let float32 = 11
    /// Opcodes that run nothing on the device.
    private static let free: Set<String> = [
        "parameter", "constant", "get-tuple-element", "tuple", "bitcast", "after-all", "partition-id", "replica-id",
    ]

    /// - Throws: `AnnealError` if the bytes are not such a message.
    package init(_ bytes: [UInt8]) throws {
        var file = ProtobufReader(bytes[...])
        while let (number, value) = try file.next() {
            guard number == 1, case .bytes(let module) = value else { continue }
            try read(module)
        }
        guard computations[entry] != nil else { throw ProtobufReader.damaged }
    }

    private mutating func read(_ module: ArraySlice<UInt8>) throws {
        var reader = ProtobufReader(module)
        while let (number, value) = try reader.next() {
            switch (number, value) {
            case (6, .number(let id)): entry = id
            case (3, .bytes(let computation)):
                var fields = ProtobufReader(computation), id = 0, instructions: [Instruction] = []
                while let (number, value) = try fields.next() {
                    if number == 2, case .bytes(let bytes) = value { instructions.append(try Self.instruction(bytes)) }
                    if number == 5, case .number(let value) = value { id = value }
                }
                computations[id] = instructions
            default: break
            }
        }
    }

    private static func instruction(_ bytes: ArraySlice<UInt8>) throws -> Instruction {
        var reader = ProtobufReader(bytes), result = Instruction()
        while let (number, value) = try reader.next() {
            switch number {
            case 2: result.opcode = value.text
            case 3: if case .bytes(let shape) = value { result.elementType = try elementType(shape) }
            case 9: result.number = try value.numbers().first ?? 0
            case 28: result.target = value.text
            case 35: result.id = try value.numbers().first ?? 0
            case 36: result.operands += try value.numbers()
            case 38: result.called += try value.numbers()
            default: break
            }
        }
        return result
    }

    private static func elementType(_ shape: ArraySlice<UInt8>) throws -> Int {
        var reader = ProtobufReader(shape), type = 0
        while let (number, value) = try reader.next() {
            if number == 2, case .number(let value) = value { type = value }
            // A tuple's first array.
            if number == 4, case .bytes(let part) = value { return try elementType(part) }
        }
        return type
    }

    // MARK: Counts

    /// Instructions that run something on the device, one after another.
    private var steps: [Instruction] { steps(of: entry) }

    private func steps(of computation: Int) -> [Instruction] {
        (computations[computation] ?? []).flatMap { instruction in
            instruction.opcode == "call" ? instruction.called.flatMap(steps) : [instruction]
        }.filter { !Self.free.contains($0.opcode) }
    }

    package var launches: Int { steps.count }

    private var convolutionSteps: [Instruction] { steps.filter { $0.target.hasPrefix("__cudnn$conv") } }

    /// Calls of a library's convolutions.
    package var convolutions: Int { convolutionSteps.count }
    /// Those that compute in float32.
    package var float32Convolutions: Int { convolutionSteps.count { $0.elementType == Self.float32 } }

    /// Parameters or states in float32 that are transposed before they are used.
    package var transposedParameters: Int {
        let all = computations[entry] ?? [], known = Self.byID(all)
        var moved: Set<Int> = []
        for instruction in all where instruction.opcode == "transpose" || instruction.opcode == "fusion" {
            // The operands that a fusion transposes.
            let inside = instruction.called.first.flatMap { computations[$0] } ?? [], steps = Self.byID(inside)
            let given = inside.filter { $0.opcode == "parameter" }.sorted { $0.number < $1.number }.map(\.id)
            let turned = inside.filter { $0.opcode == "transpose" }.flatMap(\.operands).map {
                Self.source(of: $0, in: steps)
            }
            for (place, operand) in instruction.operands.enumerated() {
                let source = Self.source(of: operand, in: known)
                guard let parameter = known[source], parameter.opcode == "parameter",
                    parameter.elementType == Self.float32
                else { continue }
                if instruction.opcode == "transpose" || place < given.count && turned.contains(given[place]) {
                    moved.insert(source)
                }
            }
        }
        return moved.count
    }

    private static func byID(_ instructions: [Instruction]) -> [Int: Instruction] {
        Dictionary(instructions.map { ($0.id, $0) }) { first, _ in first }
    }

    /// The value that this one is, ignoring changes of type or shape.
    private static func source(of id: Int, in instructions: [Int: Instruction]) -> Int {
        let passing: Set<String> = ["bitcast", "convert", "reshape", "copy", "get-tuple-element"]
        var id = id
        while let instruction = instructions[id], passing.contains(instruction.opcode),
            let operand = instruction.operands.first
        { id = operand }
        return id
    }
}

/// Reads the fields of a message in the Protocol Buffers encoding.
struct ProtobufReader {
    enum Value {
        case number(Int)
        case bytes(ArraySlice<UInt8>)

        var text: String {
            if case .bytes(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { "" }
        }

        /// A number, or the numbers of a packed field.
        func numbers() throws -> [Int] {
            switch self {
            case .number(let number): return [number]
            case .bytes(let bytes):
                var reader = ProtobufReader(bytes), numbers: [Int] = []
                while !reader.rest.isEmpty { numbers.append(try reader.variable()) }
                return numbers
            }
        }
    }

    static let damaged = AnnealError("compiled module", "cannot be read", code: .unsupported)

    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next field; nil at the end.
    mutating func next() throws -> (number: Int, value: Value)? {
        guard !rest.isEmpty else { return nil }
        let key = try variable()
        switch key & 7 {
        case 0: return (key >> 3, .number(try variable()))
        case 1: return (key >> 3, .bytes(try take(8)))
        case 2: return (key >> 3, .bytes(try take(try variable())))
        case 5: return (key >> 3, .bytes(try take(4)))
        default: throw Self.damaged
        }
    }

    mutating func variable() throws -> Int {
        var result: UInt64 = 0, shift: UInt64 = 0
        while let byte = rest.popFirst(), shift < 64 {
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return Int(truncatingIfNeeded: result) }
            shift += 7
        }
        throw Self.damaged
    }

    private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        guard count >= 0, count <= rest.count else { throw Self.damaged }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}
