import AnnealCore

/// An operator that a symbol can name: how MXNet's files describe it, and what MXNet writes for it.
public protocol SymbolOperator: Operator {
    /// MXNet's name, as symbol JSON writes it; of a family, a name for all its members.
    static var name: String { get }
    /// Other names for it in MXNet's files; MXNet writes `name` instead.
    static var aliases: [String] { get }
    /// Names of MXNet's earlier operators that compute the same here. MXNet keeps these names, and so do symbols.
    static var earlierNames: [String] { get }

    /// Reads the attributes; the registry refuses any that are left unread.
    init(_ attributes: inout AttributeReader) throws

    /// Names of the inputs that the operator itself updates; they come after `inputNames`. Automatically created
    /// variables are named `LAYER_NAME`.
    var auxiliaryNames: [String] { get }
    /// The `__init__` attribute that MXNet gives automatic auxiliary variables.
    var auxiliaryInitializers: [String] { get }
    /// The `__init__` attributes that MXNet gives automatic variables, by input name; the auxiliary ones included.
    var inputInitializers: [String: String] { get }
    /// Number of outputs that MXNet's files count in `node_row_ptr`, including hidden ones.
    var storedOutputCount: Int { get }
    /// How the element types of inputs and outputs are related.
    var typeRule: TypeRule { get }
    /// The input that is compared with the data: a variable there is a label. nil if there is none.
    var labelInput: Int? { get }
    /// Attributes with which the operator uses its auxiliary states in training too and does not update them.
    var attributesKeepingStates: [String: String] { get }
    /// The attributes in the short form of MXNet's `plot_network`: `3x3/2, 64` for a convolution.
    var detail: String { get }
}

extension SymbolOperator {
    public static var aliases: [String] { [] }
    public static var earlierNames: [String] { [] }
    public var operation: String { Self.name }
    public var auxiliaryNames: [String] { [] }
    public var auxiliaryInitializers: [String] { [] }
    public var inputInitializers: [String: String] {
        Dictionary(zip(auxiliaryNames, auxiliaryInitializers), uniquingKeysWith: { first, _ in first })
    }
    public var storedOutputCount: Int { outputNames.count }
    public var typeRule: TypeRule { .same }
    public var labelInput: Int? { inputNames.firstIndex(of: "label") }
    public var attributesKeepingStates: [String: String] { [:] }
    public var detail: String { "" }
}

/// Operators that differ only in a function: one type implements them all, each under its own name.
public protocol OperatorFamily: SymbolOperator {
    /// The operators by MXNet's names.
    associatedtype Member: RawRepresentable<String>, CaseIterable, Sendable

    static func aliases(_ member: Member) -> [String]
    init(_ member: Member, _ attributes: inout AttributeReader) throws
    var member: Member { get }
}

extension OperatorFamily {
    public static func aliases(_ member: Member) -> [String] { [] }

    /// The family member with this name or alias.
    public init(_ attributes: inout AttributeReader) throws {
        let name = attributes.operation
        guard let member = Member(rawValue: name) ?? Member.allCases.first(where: { Self.aliases($0).contains(name) })
        else { throw AnnealError("", "\(name) is not an operator of the kind '\(Self.name)'", code: .unsupported) }
        try self.init(member, &attributes)
    }

    public var operation: String { member.rawValue }
}
