old="$PPOCR_OLD_HTTP_URL/ocr/prediction" status='--output nothing --write-out %{http_code}\n'
ask="curl --silent --show-error --cacert $CA --cert $OWN --key $KEY"
until $ask "$PPOCR_OLD_HTTP_URL/health/ready" | grep -q ok; do :; done
$ask --data @body.json --header "Authorization: Bearer $PPOCR_TOKEN" "$old"
echo
$ask --data @body.json $status "$old"
ppocr-client read --json --url "$PPOCR_GRPC_URL"   --ca "$CA" --certificate "$OWN" --key "$KEY" "$PICTURE"
curl --silent $status "$PPOCR_HTTP_URL/v2/models/ocr"
for path in ocr/prediction read; do
  $ask --data @body.json $status "$PPOCR_GATEWAY_URL/$path"
done
bearer="Authorization: Bearer $PPOCR_TOKEN"
$ask --data @body.json --header "$bearer" "$PPOCR_GATEWAY_URL/ocr/prediction"
echo
$ask --data-binary "@$PICTURE" --header "$bearer" "$PPOCR_GATEWAY_URL/read"
