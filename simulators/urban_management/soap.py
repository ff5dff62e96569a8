"""SOAP 1.1 as the platform's ASMX services speak it: positional arguments, and XML inside one string."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from xml.sax.saxutils import escape

from lxml import etree

NAMESPACE = "http://tempuri.org/"
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
_INNER = '<?xml version="1.0" encoding="gb2312"?>'
"""The label every inner document carries, whatever its encoding is by then."""


class Operation(NamedTuple):
    """One method of a service: its arguments stand in this order."""

    name: str
    arguments: tuple[str, ...]


class Service(NamedTuple):
    """One .asmx page."""

    path: str
    name: str
    operations: tuple[Operation, ...]


CASE_LIST = Operation("CG_GetCaseList", ("ValidateData", "ParasXml"))
STATUS = Operation("FNZF_BH_CityManage", ("caseguid", "status", "reason", "ValidateData"))
LETTER = Operation("LDXX_PostLeaderDetail", ("ValidateData", "ParasXml"))
SERVICES = (
    Service("/WebService/CityManager.asmx", "CityManager", (CASE_LIST,)),
    Service("/WebService/CityManagerQYSWGnew.asmx", "CityManagerQYSWGnew", (STATUS,)),
    Service("/WebBuilderMobileService/Service.asmx", "Service", (LETTER,)),
)


class Fault(Exception):
    """The server cannot make sense of the request; answered as HTTP 500 with a SOAP fault."""


def parsed(text: bytes | str) -> etree._Element:
    """The root of an XML document without DTD. A str may carry any encoding label: it is ignored. Raises Fault."""
    raw = text if isinstance(text, bytes) else _unlabelled(text).encode()
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Fault("服务器无法读取请求。 ---> XML文档中有错误。") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Fault("服务器无法读取请求。 ---> 已禁止使用DTD。")
    return root


def arguments(body: bytes, operation: Operation) -> dict[str, str | None]:
    """The arguments by position, as XmlSerializer takes them: an element out of order is passed over. Raises Fault."""
    root = parsed(body)
    call = root.find(f"{{{_SOAP}}}Body/{{{NAMESPACE}}}{operation.name}")
    if root.tag != f"{{{_SOAP}}}Envelope" or call is None:
        raise Fault(f"服务器无法读取请求。 ---> 缺少{operation.name}。")
    values: dict[str, str | None] = dict.fromkeys(operation.arguments)
    left = list(operation.arguments)
    for element in call:
        name = etree.QName(element).localname if isinstance(element.tag, str) else ""
        if name in left:
            values[name] = element.text or ""
            left = left[left.index(name) + 1 :]
    return values


def called(operation: Operation, values: Mapping[str, str]) -> bytes:
    """The request envelope."""
    inner = "".join(f"<{name}>{escape(values[name])}</{name}>" for name in operation.arguments)
    return _envelope(f'<{operation.name} xmlns="{NAMESPACE}">{inner}</{operation.name}>')


def returned(operation: Operation, result: str) -> bytes:
    """The answer envelope around the one string."""
    name = operation.name
    inner = f"<{name}Result>{escape(result)}</{name}Result>"
    return _envelope(f'<{name}Response xmlns="{NAMESPACE}">{inner}</{name}Response>')


def result_of(body: bytes, operation: Operation) -> str | None:
    """The one string of an answer; None when the body is no answer to this operation."""
    try:
        root = parsed(body)
    except Fault:
        return None
    return root.findtext(f".//{{{NAMESPACE}}}{operation.name}Result")


def faulted(text: str) -> bytes:
    """A SOAP fault in the .NET manner."""
    fault = f"<faultcode>soap:Server</faultcode><faultstring>{escape(text)}</faultstring><detail />"
    return _envelope(f"<soap:Fault>{fault}</soap:Fault>")


def document(*, ok: bool, description: str, area: str = "") -> str:
    """EpointDataBody, the inner document of the ParasXml family. `area` is markup, already escaped."""
    information = f"<ReturnInfo><Status>{ok}</Status><Description>{escape(description)}</Description></ReturnInfo>"
    return f"{_INNER}<EpointDataBody><DATA>{information}<UserArea>{area}</UserArea></DATA></EpointDataBody>"


def elements(values: Iterable[tuple[str, str]]) -> str:
    """Markup of one element per pair."""
    return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in values)


def wsdl(service: Service, address: str) -> bytes:
    """The service's description, document/literal."""
    types, messages, ports, bindings = [], [], [], []
    for name, names in service.operations:
        types.append(_element(name, names) + _element(f"{name}Response", (f"{name}Result",)))
        for way, element in (("SoapIn", name), ("SoapOut", f"{name}Response")):
            messages.append(f'<message name="{name}{way}"><part name="parameters" element="tns:{element}"/></message>')
        ways = f'<input message="tns:{name}SoapIn"/><output message="tns:{name}SoapOut"/>'
        ports.append(f'<operation name="{name}">{ways}</operation>')
        body = '<soap:body use="literal"/>'
        action = f'<soap:operation soapAction="{NAMESPACE}{name}" style="document"/>'
        bindings.append(f'<operation name="{name}">{action}<input>{body}</input><output>{body}</output></operation>')
    return (
        f'{_DECLARATION}<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" '
        f'xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:s="http://www.w3.org/2001/XMLSchema" '
        f'xmlns:tns="{NAMESPACE}" targetNamespace="{NAMESPACE}"><types>'
        f'<s:schema elementFormDefault="qualified" targetNamespace="{NAMESPACE}">{"".join(types)}</s:schema></types>'
        f'{"".join(messages)}<portType name="{service.name}Soap">{"".join(ports)}</portType>'
        f'<binding name="{service.name}Soap" type="tns:{service.name}Soap">'
        f'<soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>{"".join(bindings)}</binding>'
        f'<service name="{service.name}"><port name="{service.name}Soap" binding="tns:{service.name}Soap">'
        f'<soap:address location="{escape(address)}"/></port></service></definitions>'
    ).encode()


def _element(name: str, children: tuple[str, ...]) -> str:
    inner = "".join(f'<s:element minOccurs="0" maxOccurs="1" name="{child}" type="s:string"/>' for child in children)
    return f'<s:element name="{name}"><s:complexType><s:sequence>{inner}</s:sequence></s:complexType></s:element>'


def _envelope(inner: str) -> bytes:
    return (
        f'{_DECLARATION}<soap:Envelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:soap="{_SOAP}">\n'
        f"  <soap:Body>\n    {inner}\n  </soap:Body>\n</soap:Envelope>"
    ).encode()


def _unlabelled(text: str) -> str:
    stripped = text.lstrip("\ufeff \r\n\t")
    return stripped[stripped.index("?>") + 2 :] if stripped.startswith("<?xml") and "?>" in stripped else stripped
