"""Words in Latin letters as Japanese says them, where the dictionary of the voice does not know them.

OpenJTalk spells words that it does not know, and is silent at a letter that stands alone ("A案") or that is
left over from an abbreviation whose other letters are a word of the dictionary ("H" of "HTTP").
"""

from __future__ import annotations

_LETTERS = dict(
    zip(
        "ABCDEFGHIJKLM",
        "エー ビー シー ディー イー エフ ジー エイチ アイ ジェー ケー エル エム".split(),
        strict=True,
    )
) | dict(
    zip(
        "NOPQRSTUVWXYZ",
        "エヌ オー ピー キュー アール エス ティー ユー ブイ ダブリュー エックス ワイ ゼット".split(),
        strict=True,
    )
)

#: Words of computing and of everyday life, in small letters.
_KATAKANA = dict(
    pair.split(":")
    for pair in """
    python:パイソン javascript:ジャバスクリプト typescript:タイプスクリプト ruby:ルビー rust:ラスト
    swift:スウィフト kotlin:コトリン git:ギット github:ギットハブ gitlab:ギットラブ docker:ドッカー
    kubernetes:クバネティス ubuntu:ウブントゥ tiktok:ティックトック slack:スラック teams:チームズ
    gmail:ジーメール safari:サファリ edge:エッジ photoshop:フォトショップ notion:ノーション
    chatgpt:チャットジーピーティー openai:オープンエーアイ anthropic:アンソロピック copilot:コパイロット
    spotify:スポティファイ uber:ウーバー paypay:ペイペイ tesla:テスラ toyota:トヨタ honda:ホンダ
    nissan:ニッサン xbox:エックスボックス steam:スチーム react:リアクト angular:アンギュラー node:ノード
    pip:ピップ azure:アジュール cloud:クラウド ctrl:コントロール alt:オルト esc:エスケープ tab:タブ
    off:オフ sale:セール
    top:トップ standard:スタンダード update:アップデート download:ダウンロード upload:アップロード
    login:ログイン logout:ログアウト settings:セッティング setting:セッティング menu:メニュー edit:エディット
    save:セーブ error:エラー thank:サンク thanks:サンクス sonnet:ソネット opus:オーパス
    haiku:ハイク llama:ラマ mistral:ミストラル deepseek:ディープシーク database:データベース
    postgresql:ポストグレスキューエル mysql:マイエスキューエル redis:レディス mongodb:モンゴディービー
    nvidia:エヌビディア pixel:ピクセル kindle:キンドル alexa:アレクサ siri:シリ json:ジェイソン
    aws:エーダブリューエス http:エイチティーティーピー
    https:エイチティーティーピーエス meta:メタ threads:スレッズ discord:ディスコード canva:キャンバ
    figma:フィグマ trello:トレロ shopify:ショッピファイ paypal:ペイパル airbnb:エアビーアンドビー
    walmart:ウォルマート costco:コストコ ikea:イケア
    huawei:ファーウェイ xiaomi:シャオミ vaio:バイオ thinkpad:シンクパッド
    macbook:マックブック airpods:エアポッズ imac:アイマック wifi:ワイファイ ram:ラム
    example:エグザンプル email:イーメール app:アップ play:プレイ
    and:アンド console:コンソール debug:デバッグ build:ビルド deploy:デプロイ
    commit:コミット push:プッシュ pull:プル merge:マージ
    install:インストール import:インポート
    reset:リセット
    """.split()
)
#: Abbreviations in capitals that the dictionary reads right, as they are or by another name.
_READ = frozenset(
    """
    ABC ABS AED AI AIDS AM ANA APEC API AR ASEAN ATM BBC BGM BIOS BMI BTC CD CEO CFO CIA CM CNN COVID
    CPU CSS CSV CT CTO DIY DJ DK DLL DNA DNS DVD DX EC ETC ETF EU EUR EV EXE FAQ FAX FBI FIFA FTA FX GBP
    GDP GIF GPS GPT GPU HDD HDMI HIV HTML ID IDE IMF IOS IOT IP IPO ISO IT JAL JIS JPEG JPG JPY JR KDDI
    KPI LAN LCD LED LINE LLM LTE MLB MR MRI NASA NATO NBA NFC NFL NFT NG NGO NHK NISA NLP NPO NTT
    OCR OECD OK OPEC OS PBR PC PCI PCR PDF PER PM PMO PNG PPT PR PTA PV QR RNA ROE ROI ROM SEM SEO SIM
    SNS SOS SQL SSD SSH SUICA SUV SVG TBS TCP TEL TOEFL TOEIC TPP TTS TV UFO UI UN UNICEF URL USB USD UX
    VIP VPN VR WAN WHO WTO XML ZIP
    """.split()
)


def letters(word: str) -> str:
    """The names of Latin letters, one after another."""
    return "".join(_LETTERS.get(letter.upper(), letter) for letter in word)


def said(word: str) -> str | None:
    """How a word in Latin letters is said in katakana; None where it stays as it is."""
    if len(word) == 1:
        return letters(word)
    if found := _KATAKANA.get(word.lower()):
        return found
    return letters(word) if word.isupper() and len(word) <= 5 and word not in _READ else None
