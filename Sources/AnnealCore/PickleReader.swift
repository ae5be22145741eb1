import Foundation

/// Reads Python pickles into plain values, limited to the opcodes that PyTorch, MXNet and NumPy write. Nothing is ever
/// called: names are looked up in a table of known data types, and everything else is refused by name.
package struct PickleReader {
    package private(set) var tuples: [[PickleValue]] = []
    package private(set) var lists: [[PickleValue]] = []
    package private(set) var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
    package private(set) var objects: [PickleObject] = []
    /// Where the next pickle begins.
    package private(set) var offset = 0

    private let data: Data
    private let vocabulary: PickleVocabulary
    private var stack: [PickleValue] = []
    private var marks: [Int] = []
    private var memo: [Int: PickleValue] = [:]
    /// Bytes that were converted from texts.
    private var encodedCount = 0

    /// What every pickle may contain: Python's own containers and bytes.
    private static let plainMakers: Set<String> = [
        "collections OrderedDict", "_codecs encode", "builtins bytearray", "__builtin__ bytearray", "builtins set",
        "__builtin__ set",
    ]

    package init(_ data: Data, _ vocabulary: PickleVocabulary) { (self.data, self.vocabulary) = (data, vocabulary) }

    /// The next pickle's value.
    package mutating func next() throws -> PickleValue {
        stack = []
        marks = []
        memo = [:]
        while true {
            let start = offset, opcode = try byte()
            if opcode == UInt8(ascii: ".") { return try pop() }
            try execute(opcode, start)
        }
    }

    package func damaged(_ problem: String, at place: Int? = nil) -> AnnealError {
        AnnealError(
            "byte \(place ?? offset)", problem, suggestion: "the file is damaged, or is not a pickle", code: .damaged)
    }

    // MARK: Input

    private mutating func bytes(_ count: Int) throws -> Data {
        guard count >= 0, count <= data.count - offset else { throw damaged("the file ends in the middle") }
        defer { offset += count }
        let start = data.startIndex + offset
        return data[start..<start + count]
    }

    private mutating func byte() throws -> UInt8 {
        guard offset < data.count else { throw damaged("the file ends in the middle") }
        defer { offset += 1 }
        return data[data.startIndex + offset]
    }

    /// Little-endian.
    private mutating func number(_ size: Int) throws -> Int {
        Int(clamping: try bytes(size).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    private mutating func lineBytes() throws -> Data {
        guard let end = data[(data.startIndex + offset)...].firstIndex(of: 10) else {
            throw damaged("the file ends in the middle")
        }
        let text = try bytes(end - data.startIndex - offset)
        offset += 1
        return text
    }

    private mutating func line() throws -> String { String(decoding: try lineBytes(), as: UTF8.self) }

    /// A line with a number: `10`, or `10L`, as Python 2 writes long integers.
    private mutating func decimal() throws -> Int {
        let line = try line()
        guard let number = Int(line.hasSuffix("L") ? line.dropLast() : line[...]) else {
            throw damaged("a number is invalid")
        }
        return number
    }

    /// A line with a number, or `00` and `01`, which are false and true.
    private mutating func decimalOrTruth() throws -> PickleValue {
        let start = offset, line = try line()
        if line == "00" || line == "01" { return .bool(line == "01") }
        offset = start
        return .integer(try decimal())
    }

    private mutating func utf8(_ count: Int) throws -> String {
        guard let text = String(data: try bytes(count), encoding: .utf8) else { throw damaged("a text is not UTF-8") }
        return text
    }

    /// A little-endian two's complement number of any length; beyond 64 bits only its sign is kept, with an extreme
    /// value.
    private mutating func long(_ count: Int) throws -> PickleValue {
        let bytes = try bytes(count)
        guard let top = bytes.last else { return .integer(0) }
        guard bytes.count <= 8 else { return .integer(top & 0x80 == 0 ? Int.max : Int.min) }
        let fill: UInt64 = top & 0x80 == 0 || bytes.count == 8 ? 0 : ~0 << UInt64(8 * bytes.count)
        return .integer(Int(truncatingIfNeeded: bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } | fill))
    }

    // MARK: Stack

    private mutating func pop() throws -> PickleValue {
        guard stack.count > (marks.last ?? 0), let value = stack.popLast() else { throw damaged("its stack is empty") }
        return value
    }

    private mutating func popToMark() throws -> [PickleValue] {
        guard let mark = marks.popLast(), mark <= stack.count else { throw damaged("a mark is missing") }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    private mutating func push(tuple values: [PickleValue]) {
        tuples.append(values)
        stack.append(.tuple(tuples.count - 1))
    }

    private mutating func push(list values: [PickleValue]) {
        lists.append(values)
        stack.append(.list(lists.count - 1))
    }

    private mutating func pushDictionary() {
        dictionaries.append([])
        stack.append(.dictionary(dictionaries.count - 1))
    }

    private mutating func pushTuple(of count: Int) throws {
        var values: [PickleValue] = []
        for _ in 0..<count { values.insert(try pop(), at: 0) }
        push(tuple: values)
    }

    private mutating func add(_ pairs: [PickleValue]) throws {
        guard pairs.count % 2 == 0 else { throw damaged("a key without a value") }
        let target = try pop()
        guard case .dictionary(let index) = target else { throw damaged("a key for a value that is not a dictionary") }
        for place in stride(from: 0, to: pairs.count, by: 2) {
            dictionaries[index].append((pairs[place], pairs[place + 1]))
        }
        stack.append(target)
    }

    private mutating func append(_ values: [PickleValue]) throws {
        let target = try pop()
        switch target {
        case .list(let index): lists[index] += values
        case .object(let index): objects[index].arguments += values
        default: throw damaged("elements for a value that is not a list")
        }
        stack.append(target)
    }

    private mutating func name(_ module: String, _ name: String) throws {
        let whole = "\(module) \(name)"
        guard isMaker(whole) || vocabulary.names.contains(whole) else {
            throw AnnealError(
                "byte \(offset)", "holds \(module).\(name), which \(vocabulary.content) do not need",
                suggestion: vocabulary.suggestion, code: .unsupported)
        }
        stack.append(.global(whole))
    }

    private func isMaker(_ name: String) -> Bool {
        Self.plainMakers.contains(name) || vocabulary.makers.contains(name)
    }

    /// Builds the value that calling a name with arguments would make.
    private mutating func make() throws {
        let arguments = try pop()
        guard case .global(let maker) = try pop(), isMaker(maker) else {
            throw damaged("it would call something other than a known function")
        }
        guard case .tuple(let index) = arguments else { throw damaged("a call without arguments") }
        switch maker {
        case "collections OrderedDict":
            var pairs: [(key: PickleValue, value: PickleValue)] = []
            if case .list(let list)? = tuples[index].first {
                for case .tuple(let pair) in lists[list] where tuples[pair].count == 2 {
                    pairs.append((tuples[pair][0], tuples[pair][1]))
                }
            }
            dictionaries.append(pairs)
            stack.append(.dictionary(dictionaries.count - 1))
        case "_codecs encode":
            guard case .text(let text)? = tuples[index].first else { throw damaged("bytes that are not text") }
            stack.append(.bytes(try encoded(text)))
        default:
            objects.append(PickleObject(maker: maker, arguments: tuples[index]))
            stack.append(.object(objects.count - 1))
        }
    }

    /// Bytes as protocol 2 stores them: a text in which each character is a byte.
    private mutating func encoded(_ text: String) throws -> Data {
        // A text that is referred to many times could exhaust the memory.
        encodedCount += text.utf8.count
        guard encodedCount <= data.count else { throw damaged("would expand to more bytes than the file has") }
        return Data(
            try text.unicodeScalars.map { scalar in
                guard let byte = UInt8(exactly: scalar.value) else { throw damaged("a byte is above 255") }
                return byte
            })
    }

    /// A reference by the pickler's own numbering: PyTorch's storages.
    private mutating func makePersistent() throws {
        let identity = try pop()
        objects.append(PickleObject(maker: "persistent", arguments: [identity]))
        stack.append(.object(objects.count - 1))
    }

    private mutating func build() throws {
        let state = try pop(), target = try pop()
        // An OrderedDict's own attributes are not part of its contents.
        if case .object(let index) = target { objects[index].state = state }
        stack.append(target)
    }

    // MARK: Opcodes

    private mutating func execute(_ opcode: UInt8, _ start: Int) throws {
        switch opcode {
        case 0x80: _ = try byte()  // PROTO
        case 0x95: _ = try bytes(8)  // FRAME
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: "N"): stack.append(.none)
        case 0x88: stack.append(.bool(true))
        case 0x89: stack.append(.bool(false))
        case UInt8(ascii: "J"): stack.append(.integer(Int(Int32(truncatingIfNeeded: try number(4)))))
        case UInt8(ascii: "K"): stack.append(.integer(try number(1)))
        case UInt8(ascii: "M"): stack.append(.integer(try number(2)))
        case 0x8a: stack.append(try long(number(1)))
        case 0x8b: stack.append(try long(number(4)))
        case UInt8(ascii: "G"):
            let bits = try bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            stack.append(.float(Double(bitPattern: bits)))
        case UInt8(ascii: "X"): stack.append(.text(try utf8(number(4))))
        case 0x8c: stack.append(.text(try utf8(number(1))))
        case 0x8d: stack.append(.text(try utf8(number(8))))
        case UInt8(ascii: "U"), UInt8(ascii: "C"): stack.append(.bytes(try bytes(number(1))))
        case UInt8(ascii: "T"), UInt8(ascii: "B"): stack.append(.bytes(try bytes(number(4))))
        case 0x8e, 0x96: stack.append(.bytes(try bytes(number(8))))
        case UInt8(ascii: ")"): push(tuple: [])
        case 0x85...0x87: try pushTuple(of: Int(opcode) - 0x84)
        case UInt8(ascii: "t"): push(tuple: try popToMark())
        case UInt8(ascii: "]"): push(list: [])
        case UInt8(ascii: "l"): push(list: try popToMark())
        case UInt8(ascii: "}"): pushDictionary()
        case UInt8(ascii: "d"):
            let pairs = try popToMark()
            pushDictionary()
            try add(pairs)
        case UInt8(ascii: "a"): try append([try pop()])
        case UInt8(ascii: "e"): try append(try popToMark())
        case UInt8(ascii: "s"):
            let value = try pop(), key = try pop()
            try add([key, value])
        case UInt8(ascii: "u"): try add(try popToMark())
        // Protocol 0, which consists of lines of text.
        case UInt8(ascii: "I"): stack.append(try decimalOrTruth())
        case UInt8(ascii: "L"): stack.append(.integer(try decimal()))
        case UInt8(ascii: "S"):
            guard let bytes = PickleText.unquoted(try lineBytes()) else { throw damaged("a text is not in quotes") }
            stack.append(.bytes(bytes))
        case UInt8(ascii: "V"): stack.append(.text(PickleText.unescaped(try lineBytes())))
        case UInt8(ascii: "p"): memo[try decimal()] = try top()
        case UInt8(ascii: "g"): stack.append(try remembered(decimal()))
        case UInt8(ascii: "q"): memo[try number(1)] = try top()
        case UInt8(ascii: "r"): memo[try number(4)] = try top()
        case 0x94: memo[memo.count] = try top()
        case UInt8(ascii: "h"): stack.append(try remembered(number(1)))
        case UInt8(ascii: "j"): stack.append(try remembered(number(4)))
        case UInt8(ascii: "c"):
            let module = try line()
            try name(module, line())
        case 0x93:
            let last = try pop(), module = try pop()
            guard let last = text(last), let module = text(module) else {
                throw damaged("a class without a name", at: start)
            }
            try name(module, last)
        case UInt8(ascii: "R"), 0x81: try make()
        case UInt8(ascii: "Q"): try makePersistent()
        case UInt8(ascii: "b"): try build()
        case UInt8(ascii: "0"): _ = try pop()
        default:
            throw AnnealError(
                "byte \(start)", "holds the pickle opcode \(opcode), which \(vocabulary.content) do not need",
                suggestion: "the file does not hold \(vocabulary.content), or is damaged", code: .damaged)
        }
    }

    private func top() throws -> PickleValue {
        guard let top = stack.last else { throw damaged("its stack is empty") }
        return top
    }

    private func remembered(_ index: Int) throws -> PickleValue {
        guard let value = memo[index] else { throw damaged("refers to a value that it does not have") }
        return value
    }
}
